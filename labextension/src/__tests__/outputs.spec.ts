import { OutputAreaModel } from '@jupyterlab/outputarea';
import { OutputWriter } from '../outputs';
import { IMessage } from '../types';

function show(...messages: IMessage[]): any[] {
  const model = new OutputAreaModel({ trusted: true });
  // One at a time, as they come.
  const writer = new OutputWriter(model);
  messages.forEach(message => writer.write([message]));
  return model.toJSON();
}

const text = (value: string, name = 'stdout'): IMessage => ({ type: 'stream', content: { name, text: value } });
const display = (value: string, id?: string, type = 'display_data'): IMessage => ({
  type,
  content: { data: { 'text/plain': value }, metadata: {}, transient: id ? { display_id: id } : {} }
});

describe('OutputWriter', () => {
  it('joins text of one stream', () => {
    expect(show(text('a'), text('b'), text('c', 'stderr'), text('d'))).toMatchObject([
      { name: 'stdout', text: 'ab' },
      { name: 'stderr', text: 'c' },
      { name: 'stdout', text: 'd' }
    ]);
  });

  it('draws progress bars over themselves', () => {
    expect(show(text('10%'), text('\r20%'), text('\r30%\n'))).toMatchObject([{ text: '30%\n' }]);
  });

  it('updates displays where they stand', () => {
    const shown = show(display('one', 'x'), text('between'), display('two', 'x', 'update_display_data'));
    expect(shown[0].data['text/plain']).toBe('two');
    expect(shown).toHaveLength(2);
  });

  it('knows no displays of other cells', () => {
    expect(show(display('two', 'elsewhere', 'update_display_data'))).toEqual([]);
  });

  it('clears at once, or with the next output', () => {
    expect(show(text('a'), { type: 'clear_output', content: { wait: false } })).toEqual([]);
    const waiting = [display('a', 'x'), { type: 'clear_output', content: { wait: true } }];
    expect(show(...waiting)).toHaveLength(1);
    expect(show(...waiting, text('b'), display('late', 'x', 'update_display_data'))).toMatchObject([{ text: 'b' }]);
  });

  it('keeps what is on top whatever is cleared', () => {
    const model = new OutputAreaModel({ trusted: true });
    const head: any = { output_type: 'display_data', data: { 'text/plain': 'head' }, metadata: {} };
    const writer = new OutputWriter(model, [head]);
    writer.write([text('a'), { type: 'clear_output', content: { wait: true } }, display('b', 'x')]);
    writer.write([display('c', 'x', 'update_display_data')]);
    expect(model.toJSON()).toMatchObject([head, { data: { 'text/plain': 'c' } }]);
    writer.write([{ type: 'clear_output', content: { wait: false } }, text('d')]);
    expect(model.toJSON()).toMatchObject([head, { text: 'd' }]);
  });

  it('goes on in another model', () => {
    const [draft, cell] = [new OutputAreaModel({ trusted: true }), new OutputAreaModel({ trusted: true })];
    const writer = new OutputWriter(draft);
    writer.write([display('a', 'x'), { type: 'clear_output', content: { wait: true } }]);
    cell.fromJSON(draft.toJSON());
    writer.moveTo(cell).write([text('b')]);
    expect(cell.toJSON()).toMatchObject([{ text: 'b' }]);
  });

  it('shows results and errors', () => {
    const shown = show(
      { type: 'execute_result', content: { data: { 'text/plain': '42' }, metadata: {}, execution_count: 3 } },
      { type: 'error', content: { ename: 'ValueError', evalue: 'no', traceback: ['line'] } },
      { type: 'comm_open', content: {} }
    );
    expect(shown).toMatchObject([{ execution_count: 3 }, { ename: 'ValueError', traceback: ['line'] }]);
  });
});
