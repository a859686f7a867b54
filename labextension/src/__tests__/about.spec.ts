import { ServerConnection } from '@jupyterlab/services';
import { describe as describeVersions } from '../about';
import { VERSION } from '../version';

function settings(answer: () => Promise<Response>): ServerConnection.ISettings {
  return ServerConnection.makeSettings({ baseUrl: 'http://localhost/base/', fetch: answer });
}

function answering(status: number, body: unknown): ServerConnection.ISettings {
  return settings(async () => new Response(JSON.stringify(body), { status }));
}

describe('about', () => {
  it('has nothing to warn of when page and server agree', async () => {
    const about = await describeVersions('1.2.3', answering(200, { version: '1.2.3', python: '3.12.1' }));
    expect(about.lines).toEqual(['This page: choline 1.2.3.', 'Server: choline 1.2.3, Python 3.12.1.']);
    expect(about.warning).toBeNull();
  });

  it('asks for a reload when the page is older than the server', async () => {
    const about = await describeVersions('1.2.3', answering(200, { version: '1.3.0', python: '3.12.1' }));
    expect(about.warning).toContain('reload this page');
  });

  it('says where to look when the server has no choline extension', async () => {
    const about = await describeVersions('1.2.3', answering(404, { message: 'Not Found' }));
    expect(about.warning).toContain('jupyter server extension list');
  });

  it("passes the server's own reason on", async () => {
    const about = await describeVersions('1.2.3', answering(500, { message: 'disk full' }));
    expect(about.warning).toContain('disk full');
  });

  it('survives a server that cannot be reached', async () => {
    const about = await describeVersions('1.2.3', settings(() => Promise.reject(new TypeError('offline'))));
    expect(about.lines).toHaveLength(1);
    expect(about.warning).toContain('offline');
  });

  it('asks below the base URL of the server', async () => {
    const asked: string[] = [];
    const recording = settings(async (...args: unknown[]) => {
      asked.push((args[0] as Request).url);
      return new Response('{}', { status: 200 });
    });
    await describeVersions('1.2.3', recording);
    expect(asked).toEqual([expect.stringMatching(/^http:\/\/localhost\/base\/choline\/api\/version/)]);
  });
});

describe('VERSION', () => {
  it('is a version number', () => {
    expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  });
});
