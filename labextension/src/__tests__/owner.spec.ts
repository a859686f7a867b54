import { PageConfig } from '@jupyterlab/coreutils';
import { findOwner } from '../owner';

const panel = (collaborative: boolean): any => ({ context: { model: { collaborative } } });

describe('findOwner', () => {
  afterEach(() => (PageConfig.Extension.disabled.length = 0));

  it('finds nobody in a plain JupyterLab', () => {
    expect(findOwner(panel(false))).toBe('');
  });

  it('leaves a shared document to those who keep it', () => {
    expect(findOwner(panel(true))).toContain('real-time collaboration');
  });

  it("leaves outputs to a server that runs the cells: it has put its executor in the place of JupyterLab's", () => {
    PageConfig.Extension.disabled.push('@jupyterlab/notebook-extension:cell-executor');
    expect(findOwner(panel(false))).toContain('on the server');
  });
});
