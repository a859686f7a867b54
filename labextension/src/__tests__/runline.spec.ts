import { describeLine, findPlaces, findValue, readLine, setMachine } from '../runline';

describe('readLine', () => {
  it('has the words as they are written', () => {
    expect(readLine('%%choline --session "my run" --out x\ncode')).toEqual(['--session', '"my run"', '--out', 'x']);
    expect(readLine('%%choline')).toEqual([]);
    expect(readLine('%%cholinesterase\nx')).toBeNull();
    expect(readLine('x = 1\n%%choline')).toBeNull();
  });
});

describe('setMachine', () => {
  const host = ['--host', 'me@big'];

  it('puts a line on top of a cell without one', () => {
    expect(setMachine('x = 1', host)).toBe('%%choline --host me@big\nx = 1');
    expect(setMachine('', host)).toBe('%%choline --host me@big\n');
  });

  it('changes the machine and leaves the rest as it is written', () => {
    const source = '%%choline --4x3090 --out "a, b" --budget 2 --provider=vast --spot --detach\nx = 1';
    expect(setMachine(source, host)).toBe('%%choline --host me@big --out "a, b" --detach\nx = 1');
  });

  it('keeps limits where they still mean something, each once', () => {
    const source = '%%choline --gpu a100 --budget 2 --lease 10m\nx';
    expect(setMachine(source, ['--gpu', 'h100'])).toBe('%%choline --gpu h100 --budget 2 --lease 10m\nx');
    expect(setMachine(source, ['--gpu', 'h100', '--budget', '3'])).toBe(
      '%%choline --gpu h100 --budget 3 --lease 10m\nx'
    );
    expect(setMachine(source, ['--provider', 'vast'])).toBe('%%choline --provider vast --budget 2 --lease 10m\nx');
    expect(setMachine(source, ['--provider', 'local'])).toBe('%%choline --provider local\nx');
  });

  it('survives a quote without its end', () => {
    expect(setMachine('%%choline --out "a\nx', host)).toBe('%%choline --host me@big --out "a\nx');
  });
});

describe('findPlaces', () => {
  it('reads values in both forms, without quotes', () => {
    expect(findValue(['--session', '"my run"'], '--session')).toBe('my run');
    expect(findValue(["--session='my run'"], '--session')).toBe('my run');
    expect(findValue(['--session'], '--session')).toBe('');
  });

  it.each([
    ['%%choline --host me@big', 'me@big'],
    ['%%choline --4x3090 --budget 1', '4x3090'],
    ['%%choline --gpu a100 --provider vast', 'a100 on vast'],
    ['%%choline --memory 40GB', 'a GPU of 40GB'],
    ['%%choline --provider modal', 'modal'],
    ['%%choline --isolated', 'this machine, isolated'],
    ['%%choline --session /home/me/train.ipynb', 'session train.ipynb'],
    ['%%choline --out x', '']
  ])('tells of %s', (line, said) => {
    expect(describeLine(readLine(line)!)).toBe(said);
  });

  it('has a cell that does not say run where the last one did that said', () => {
    const sources = ['%%choline', 'x', '%%choline --host a', '%%choline --out y', '%%choline --provider local', '%%choline'];
    expect(findPlaces(sources)).toEqual(['this machine', null, 'a', 'a', 'this machine', 'this machine']);
  });
});
