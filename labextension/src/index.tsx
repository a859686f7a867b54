import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { about } from './aboutplugin';
import { sidebar } from './sidebarplugin';

const plugins: JupyterFrontEndPlugin<any>[] = [about, sidebar];

export default plugins;
