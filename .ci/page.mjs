// What .ci/page tries in Chromium: page.mjs URL FOLDER-OF-SCREENSHOTS
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chromium } from 'playwright-core';

const [url, shots] = process.argv.slice(2);
const idferry = (...words) => execFileSync(process.env.IDFERRY, words, { stdio: 'pipe' });
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });

/// A tab that remembers what was said on its console and what it asked for.
async function tab(options) {
  const page = await browser.newPage({ reducedMotion: 'reduce', ...options });
  page.said = [];
  page.asked = [];
  page.on('console', message => page.said.push(message.text()));
  page.on('pageerror', error => page.said.push(String(error)));
  page.on('request', request => page.asked.push(request.url()));
  return page;
}
const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
const quiet = (page, origin) => {
  assert.deepEqual(page.said, [], 'nothing is said on the console');
  const foreign = page.asked.filter(asked => !asked.startsWith(origin) && !asked.startsWith('data:'));
  assert.deepEqual(foreign, [], 'nothing is asked of anybody else');
};
const fits = async page => {
  const [wide, seen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wide <= seen, `${wide} of ${seen} pixels: it scrolls sideways`);
};

const light = await tab({ viewport: { width: 1100, height: 900 }, colorScheme: 'light' });
await light.goto(url);
const answered = () => document.querySelector('.of b').textContent;
const before = await light.evaluate(answered);
await light.waitForFunction(before => document.querySelector('.of b').textContent !== before, before);
console.log(`it moves: ${before}, then ${await light.evaluate(answered)}`);

await light.waitForFunction(() => document.querySelector('.state').classList.contains('wait'));
assert.ok(await light.getByText('full, room at').isVisible());
console.log('it says that it waits, and when room comes back');
await shot(light, 'light');

const dark = await tab({ viewport: { width: 1100, height: 900 }, colorScheme: 'dark' });
await dark.goto(url);
await dark.getByText('中文').click();
assert.ok(await dark.getByText('等待中').first().isVisible());
assert.ok(!(await dark.getByText('to be asked').first().isVisible()));
await dark.reload();
assert.ok(await dark.getByText('等待中').first().isVisible(), 'the language is remembered');
await shot(dark, 'dark');
console.log('it speaks Chinese, also after it is loaded again');

const phone = await tab({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true });
await phone.goto(url);
await fits(phone);
await shot(phone, 'phone');
for (const page of [light, dark, phone]) quiet(page, url);
console.log('a phone need not scroll sideways; nobody else was asked, the consoles are empty');

idferry('stop');
await light.waitForFunction(() => document.title && !document.getElementById('lost').hidden);
assert.ok(await light.getByText('work is left').first().isVisible(), 'the last news came');
console.log('it tells the end of the run, and that the connection is gone');

idferry('report', '--output', 'fans.html');
const report = await tab({ viewport: { width: 1100, height: 900 } });
const file = `file://${process.cwd()}/fans.html`;
await report.goto(file);
await shot(report, 'report');
await report.emulateMedia({ media: 'print' });
await report.setViewportSize({ width: 720, height: 900 });
await fits(report);
await shot(report, 'print');
quiet(report, file);
console.log('the report opens from a file, and prints');
await browser.close();
