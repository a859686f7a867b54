import { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { about } from './aboutplugin';
import { element } from './elementplugin';
import { refill } from './refillplugin';
import { runOn } from './runonplugin';
import { sidebar } from './sidebarplugin';

const plugins: JupyterFrontEndPlugin<any>[] = [about, element, refill, runOn, sidebar];

export default plugins;
