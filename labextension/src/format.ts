/** `4 s`, `3 min 20 s`, `2 h 5 min`, as the command writes it. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) {
    return `${whole} s`;
  }
  if (whole < 3600) {
    return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  }
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** The time of day at which something began, with its date where that is not today's. */
export function formatSince(at: number, now: number): string {
  const [then, today] = [new Date(at * 1000), new Date(now * 1000)];
  const time = `${then.getHours()}:${String(then.getMinutes()).padStart(2, '0')}`;
  return then.toDateString() === today.toDateString() ? time : `${then.toDateString().slice(4, 10)}, ${time}`;
}

/** Four significant digits, without trailing zeros. */
export function formatNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}

/** `12.5M` of bytes or steps. */
export function formatAmount(value: number): string {
  for (const [size, unit] of [
    [1e12, 'T'],
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k']
  ] as [number, string][]) {
    if (value >= size) {
      return `${formatNumber(unit === 'k' ? value / 1e3 : value / size)}${unit}`;
    }
  }
  return formatNumber(value);
}

/** The first line of code that says something: not blank, no comment, no import. */
export function summarise(code: string): string {
  const lines = code.split('\n').map(line => line.trim());
  const told = lines.find(line => line && !/^(#|import |from |%)/.test(line));
  return told ?? lines.find(line => line) ?? '';
}

/** The last part of a path. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `$1.20`; of less than a cent as much as can be told. */
export function formatMoney(amount: number): string {
  const size = Math.abs(amount);
  return `${amount < 0 ? '-' : ''}$${size.toFixed(size >= 0.01 || size === 0 ? 2 : 4)}`;
}

/** `31.2 GB` of so many bytes. */
export function formatBytes(bytes: number): string {
  const [size, unit] = bytes >= 1e9 ? [1e9, 'GB'] : [1e6, 'MB'];
  return `${(bytes / size).toFixed(bytes >= 1e10 || size === 1e6 ? 0 : 1)} ${unit}`;
}

/** `31 of 80 GB`; without a whole as `formatBytes`. */
export function formatPart(bytes: number, whole: number | undefined): string {
  return whole && whole >= 1e9 ? `${(bytes / 1e9).toFixed(bytes >= 1e10 ? 0 : 1)} of ${formatBytes(whole)}` : formatBytes(bytes);
}

/** `87 %`. */
export function formatShare(share: number): string {
  return `${Math.round(share * 100)} %`;
}
