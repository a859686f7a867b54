import { formatMoney, formatNumber } from './format';
import { IGpu, IJobCost, IJobDetail } from './jobfollower';

/** What the job costs, as a fact in a row of them; empty where nothing is paid for it. */
export function describeCost(cost: IJobCost | null): string {
  return cost
    ? `${formatMoney(cost.job)}, the machine ${formatMoney(cost.machine)} of ${formatMoney(cost.budget)} so far (estimate)`
    : '';
}

/** Where it runs, in few words. */
export function describeMachine(detail: IJobDetail): string {
  if (!detail.machine) {
    return '';
  }
  return detail.provider === 'ssh' || detail.provider === 'local'
    ? detail.machine
    : `${detail.provider}${detail.cost ? `, ${formatMoney(detail.cost.hourly)}/h` : ''}`;
}

/** `GPU 0: 31.2 of 80 GB, 87 % busy, 280 W`, of what is told. */
export function describeGpu(gpu: IGpu): string {
  const facts: string[] = [];
  if (gpu.memory !== undefined) {
    const total = gpu.total === undefined ? '' : ` of ${formatNumber(gpu.total / 1e9)}`;
    facts.push(`${formatNumber(gpu.memory / 1e9)}${total} GB`);
  }
  if (gpu.busy !== undefined) {
    facts.push(`${Math.round(gpu.busy * 100)} % busy`);
  }
  if (gpu.power !== undefined) {
    facts.push(`${Math.round(gpu.power)} W`);
  }
  return `GPU ${gpu.index ?? gpu.rank}: ${facts.join(', ')}`;
}
