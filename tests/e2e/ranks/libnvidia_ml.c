/* A libnvidia-ml with two GPUs whose figures are replayed: memory in use rises with each look, GPU 1 tells no power. */
typedef struct { unsigned long long total, free, used; } memory_t;
typedef struct { unsigned gpu, memory; } utilization_t;

static long gpus[2] = {0, 1};
static unsigned looks[2];  /* no header and no library is needed to build this */

int nvmlInit_v2(void) { return 0; }
int nvmlDeviceGetCount_v2(unsigned *count) { *count = 2; return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device) {
    if (index > 1) return 2;
    *device = &gpus[index];
    return 0;
}
int nvmlDeviceGetHandleByUUID(const char *uuid, void **device) {
    const char *known = "GPU-second";
    while (*known && *known == *uuid) known++, uuid++;
    if (*known || *uuid) return 6;
    *device = &gpus[1];
    return 0;
}
int nvmlDeviceGetIndex(void *device, unsigned *index) { *index = *(long *)device; return 0; }
int nvmlDeviceGetMemoryInfo(void *device, memory_t *memory) {
    long gpu = *(long *)device;
    memory->total = 80000000000ull;
    memory->used = 31200000000ull + 1000000000ull * gpu - (looks[gpu]++ ? 0 : 30000000000ull);
    memory->free = memory->total - memory->used;
    return 0;
}
int nvmlDeviceGetUtilizationRates(void *device, utilization_t *rates) {
    rates->gpu = 87 - 7 * *(long *)device;
    return 0;
}
int nvmlDeviceGetPowerUsage(void *device, unsigned *milliwatts) {
    if (*(long *)device) return 3;
    *milliwatts = 412000;
    return 0;
}
