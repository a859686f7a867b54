import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { about } from './aboutplugin';
import { refill } from './refillplugin';
import { sidebar } from './sidebarplugin';

const plugins: JupyterFrontEndPlugin<any>[] = [about, refill, sidebar];

export default plugins;
