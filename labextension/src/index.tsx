import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { about } from './aboutplugin';
import { element } from './elementplugin';
import { refill } from './refillplugin';
import { sidebar } from './sidebarplugin';

const plugins: JupyterFrontEndPlugin<any>[] = [about, element, refill, sidebar];

export default plugins;
