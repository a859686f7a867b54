import {
  baseName,
  formatAmount,
  formatBytes,
  formatDuration,
  formatMoney,
  formatNumber,
  formatPart,
  formatShare,
  formatSince,
  summarise
} from '../format';
import { drawLine } from '../sparkline';

describe('format', () => {
  it.each([
    [-3, '0 s'],
    [59.9, '59 s'],
    [200, '3 min 20 s'],
    [7500, '2 h 5 min']
  ])('%d seconds are %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it.each([
    [0, '$0.00'],
    [1.005, '$1.00'],
    [1234.5, '$1234.50'],
    [0.0123, '$0.01'],
    [0.0004, '$0.0004'],
    [-1, '-$1.00']
  ])('%d USD are %s', (amount, text) => {
    expect(formatMoney(amount)).toBe(text);
  });

  it('says sizes and shares as one would', () => {
    expect([5e8, 2.04e9, 8e10].map(formatBytes)).toEqual(['500 MB', '2.0 GB', '80 GB']);
    expect([formatPart(31.2e9, 80e9), formatPart(2e9, undefined), formatPart(2e9, 0)]).toEqual(['31 of 80 GB', '2.0 GB', '2.0 GB']);
    expect([0, 0.874, 1.03].map(formatShare)).toEqual(['0 %', '87 %', '103 %']);
  });

  it('says when something began, with the date where it was another day', () => {
    const at = new Date(2026, 10, 20, 7, 5).getTime() / 1000;
    expect(formatSince(at, at + 3600)).toBe('7:05');
    expect(formatSince(at, at + 86400)).toBe('Nov 20, 7:05');
  });

  it('keeps four digits of a number', () => {
    expect(['0.00012346', '2.5', '123456'].map(text => formatNumber(Number(text)))).toEqual(['0.0001235', '2.5', '123500']);
  });

  it.each([
    [40, '40'],
    [9999, '9999'],
    [12_500, '12.5k'],
    [12.5e6, '12.5M'],
    [1e9, '1G']
  ])('an amount of %d is %s', (value, text) => {
    expect(formatAmount(value)).toBe(text);
  });

  it('finds the line that says what code does', () => {
    expect(summarise('# train\nimport torch\n\nfit(model)\nsave()')).toBe('fit(model)');
    expect(summarise('import torch')).toBe('import torch');
    expect(summarise('')).toBe('');
  });

  it('names a file', () => {
    expect(baseName('a/b/c.ipynb')).toBe('c.ipynb');
  });
});

describe('drawLine', () => {
  it('goes from left to right and keeps in its box', () => {
    const points = drawLine([9, 1, 4]).split(' ').map(pair => pair.split(',').map(Number));
    expect(points.map(([x]) => x)).toEqual([0, 50, 100]);
    expect(points[0][1]).toBeLessThan(points[2][1]);
    expect(points[2][1]).toBeLessThan(points[1][1]);
    points.forEach(([, y]) => expect(y).toBeGreaterThanOrEqual(1));
  });

  it('draws what does not change', () => {
    expect(drawLine([3, 3])).toBe('0.0,23.0 100.0,23.0');
  });
});
