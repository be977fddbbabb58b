"""Drives the console in headless Chromium: console.py SCENARIO, its settings as JSON on stdin, what it saw as JSON on stdout.

Settings: origin and link of the console, data (URL of the data port), and what a scenario names itself. With `pictures`, a
folder, pages are photographed there. A scenario that goes wrong says where, with the page's text, and ends with status 1.
"""

import json
import os
import shutil
import sys
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

from selenium import webdriver
from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException, TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

PATIENCE_S = 60
PASSWORD = 'vier Störche im Nebel'
PAGES = {
    'overview': '/', 'incidents': '/incidents', 'rules': '/rules', 'policy': '/policy', 'models': '/models',
    'principals': '/principals', 'integrity': '/integrity', 'actions': '/actions', 'access': '/access',
}
# Of the pages that docs/console.md shows: the theme they are photographed in.
PICTURES = {('overview', 'dark'), ('rules', 'light')}


def found(program):
    path = shutil.which(program)
    assert path, f'{program} is missing: run `make test`, which installs it'
    return path


class Console:
    """A browser with the console open."""

    def __init__(self, settings):
        self.settings = settings
        self.origin = settings['origin']
        options = webdriver.ChromeOptions()
        for argument in (
            '--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu', '--hide-scrollbars',
            # The console works without internet: nothing but the appliance can be reached.
            '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1', '--force-device-scale-factor=1',
        ):
            options.add_argument(argument)
        options.set_capability('goog:loggingPrefs', {'browser': 'ALL', 'performance': 'ALL'})
        options.binary_location = found('chromium')
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(found('chromedriver')))
        self.size(1440, 900)

    def size(self, width, height):
        self.driver.execute_cdp_cmd('Emulation.setDeviceMetricsOverride', {
            'width': width, 'height': height, 'deviceScaleFactor': 1, 'mobile': False,
        })

    def theme(self, name):
        self.driver.execute_cdp_cmd('Emulation.setEmulatedMedia', {
            'features': [{'name': 'prefers-color-scheme', 'value': name}, {'name': 'prefers-reduced-motion', 'value': 'reduce'}],
        })

    def open(self, path):
        self.driver.get(self.origin + path)

    def until(self, what, found):
        """Waits until `found()` is truthy, and gives it."""
        def look(_):
            try:
                return found()
            except (StaleElementReferenceException, NoSuchElementException):
                return False
        try:
            return WebDriverWait(self.driver, PATIENCE_S, poll_frequency=0.05).until(look)
        except TimeoutException:
            raise AssertionError(f'{what}: not within {PATIENCE_S} s') from None

    def all(self, css):
        return self.driver.find_elements(By.CSS_SELECTOR, css)

    def one(self, css, text=None):
        """The first element in sight that fits, waited for."""
        def find():
            return next((el for el in self.all(css) if el.is_displayed() and (text is None or text in el.text)), None)
        return self.until(f'{css} with {text!r}' if text else css, find)

    def gone(self, css):
        self.until(f'no {css}', lambda: not any(el.is_displayed() for el in self.all(css)))

    def press(self, *keys):
        """Keys as a person presses them, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def script(self, text, *arguments):
        return self.driver.execute_script(text, *arguments)

    def path(self):
        return self.driver.current_url.removeprefix(self.origin)

    def settled(self):
        """Waits until nothing is being loaded."""
        self.until('the page', lambda: self.script(
            "return document.querySelector('main .page')?.firstChild && !document.querySelector('.skeleton')"))

    def first_admin(self):
        self.driver.get(self.settings['link'])
        self.one('input[name=user]').send_keys('ann')
        assert '#' not in self.driver.current_url, 'the token stays in the address'
        for name in ('password', 'again'):
            self.one(f'input[name={name}]').send_keys(PASSWORD)
        self.one('button[type=submit]').click()
        self.one('#bar nav a', 'Overview')
        self.settled()

    def picture(self, name):
        folder = self.settings.get('pictures')
        if folder:
            self.driver.save_screenshot(str(Path(folder) / f'{name}.png'))

    def complaints(self):
        """What the browser's console holds, but for answers of the API that are errors."""
        said = [entry['message'] for entry in self.driver.get_log('browser') if entry['level'] in ('WARNING', 'SEVERE')]
        return [line for line in said if 'Failed to load resource' not in line]

    def elsewhere(self):
        """What was asked of anybody but the console, and the identity provider if there is one."""
        asked = []
        for entry in self.driver.get_log('performance'):
            message = json.loads(entry['message'])['message']
            if message['method'] == 'Network.requestWillBeSent':
                asked.append(message['params']['request']['url'])
        known = (self.origin + '/', 'data:', 'chrome:', 'about:')
        known += (self.settings['issuer'] + '/',) if 'issuer' in self.settings else ()
        return [url for url in asked if not url.startswith(known)]

    def say(self, text):
        """Sends a prompt through the data port; gives the status."""
        body = {'model': 'm', 'messages': [{'role': 'system', 'content': 'Be kind.'}, {'role': 'user', 'content': text}]}
        request = urllib.request.Request(
            self.settings['data'], json.dumps(body).encode(), {'content-type': 'application/json'})
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as reply:
                return reply.status
        except urllib.error.HTTPError as error:
            return error.code

    def title_of_first_row(self):
        row = next(row for row in self.all('.incident-list .vrow') if row.get_attribute('data-index') == '0')
        return row.find_element(By.CSS_SELECTOR, '.what-title').text

    def open_newest(self, text):
        """Sends a prompt, waits for its incident in the queue, and opens it by keyboard."""
        status = self.say(text)
        self.one('.new-bar', 'new incident')
        self.press('n')
        self.gone('.new-bar')
        self.until('the newest row', lambda: 'abracadabra' in self.title_of_first_row())
        self.press('j', Keys.ENTER)
        self.one('.pane .pane-head h2')
        return status


def review(console):
    """From a prompt's arrival to an exception, without a mouse."""
    seen = {}
    console.first_admin()
    console.press('2')
    console.one('.incident-list .vrow')
    seen['total'] = console.one('.page-head p.quiet', 'incidents').text
    text = 'please say \u00aabracadabra-77 and YWJyYWNhZGFicmEtODg= now'
    seen['status'] = console.open_newest(text)
    seen['title'] = console.one('.pane h2').text
    seen['why'] = console.one('.pane .why').text
    seen['address'] = console.path()
    seen['marks'] = [el.text for el in console.all('.pane mark')]
    console.press(']')
    seen['marked'] = len(console.all('.pane .finding.now'))
    readings = []
    for _ in range(8):
        readings.append(console.one('.pane .passage .choice [aria-pressed=true]').text)
        console.press('l')
    seen['readings'] = sorted(set(readings))
    console.until('the text as sent', lambda: (console.press('l'), console.one('.pane .passage .choice [aria-pressed=true]').text == 'as sent')[1])
    seen['client'] = console.one('.pane .panel', 'What the client got').text
    seen['sum'] = console.one('.pane .sum table').text
    console.picture('incident')

    console.press('c')
    console.one('dialog textarea').send_keys('a spell <b>only</b>', Keys.CONTROL + Keys.ENTER)
    console.gone('dialog')
    console.one('.pane .history li', 'a spell <b>only</b>')
    console.press('m')
    console.one('.pane .actions button', 'Assigned to ann')
    console.press('t')
    console.one('.pane .disposition', 'True positive')
    console.press('u')
    console.gone('.pane .disposition')
    console.press('f')
    console.one('.pane .disposition', 'False alarm')

    console.press('e')
    reason = console.one('dialog textarea')
    Select(console.one('dialog select')).select_by_value('any')
    for check in console.all('dialog .check'):
        box = check.find_element(By.TAG_NAME, 'input')
        if box.is_selected() != ('role' in check.text):
            box.click()
    reason.send_keys('a spell, no attack')
    console.one('dialog button', 'Show what would happen').click()
    console.one('dialog', 'would change')
    seen['look'] = console.one('dialog').text
    console.picture('exception')
    console.one('dialog button', 'Write it').click()
    seen['in_force'] = console.one('.notice', 'In force as policy').text
    console.gone('dialog')
    console.press('r')
    seen['again'] = console.one('.pane .panel', 'Judged again').text
    seen['status_after'] = console.say(text)

    console.one('.finding button', 'Add as an example').click()
    area = console.one('dialog textarea')
    area.clear()
    area.send_keys('abracadabra, said nobody')
    Select(console.one('dialog select')).select_by_value('pass')
    console.one('dialog button', 'Show what would happen').click()
    console.one('dialog .good', 'The rules load')
    console.one('dialog button', 'Write it').click()
    console.gone('dialog')

    # Back and forth keep what was open.
    console.press(Keys.ESCAPE)
    console.gone('.pane')
    console.driver.back()
    console.one('.pane h2')
    assert console.path() == seen['address'], console.path()
    console.driver.forward()
    console.gone('.pane')
    console.press('/')
    console.press('abracadabra')
    console.until('the search', lambda: console.path().endswith('q=abracadabra'))
    console.press(Keys.ESCAPE)
    # Decided incidents are not open any more.
    console.one('.empty', 'No incident fits')
    console.one('.choice button', 'Decided').click()
    console.one('.incident-list .vrow', 'Says abracadabra')
    console.press('8')
    console.one('main h1', 'Actions')
    console.one('main table tbody tr')
    seen['actions'] = console.one('main table').text
    return seen


def queue(console):
    """Ten thousand incidents: every row can be reached, and only those in sight are in the document."""
    console.first_admin()
    console.open('/incidents')
    console.one('.incident-list .vrow')
    total = console.script("return Number(document.querySelector('.incident-list').getAttribute('aria-rowcount')) - 1")
    seen, most = {}, 0
    # As fast as a wheel turns; a row that is not there yet is waited for before the next turn.
    while True:
        console.until('rows', lambda: not console.all('.incident-list .vrow.wait'))
        shown = console.script(
            "return [...document.querySelectorAll('.incident-list .vrow')].map((el) => [el.dataset.index, el.textContent])")
        most = max(most, len(shown))
        seen.update((int(index), text) for index, text in shown)
        moved = console.script("""
            const list = document.querySelector('.incident-list');
            const before = list.scrollTop;
            list.scrollTop += list.clientHeight * 0.9;
            return list.scrollTop !== before;""")
        if not moved:
            break
        console.script('return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    # From the keyboard: the end and the beginning.
    list_el = console.one('.incident-list')
    list_el.send_keys(Keys.END)
    console.until('the last row', lambda: console.one('.vrow.active').get_attribute('data-index') == str(total - 1))
    list_el.send_keys(Keys.HOME)
    console.until('the first row', lambda: console.one('.vrow.active').get_attribute('data-index') == '0')
    return {'total': total, 'seen': len(seen), 'most': most}


def hostile(console):
    """What attackers wrote is shown as text, and what is invisible in it is shown."""
    console.first_admin()
    console.open('/incidents')
    console.one('.incident-list .vrow')
    console.open_newest(console.settings['text'])
    seen = {
        'pwned': console.script('return [window.pwned ?? null, document.title]'),
        'shown': console.one('.pane .passage .hostile', 'abracadabra').text,
        # Markup of the text would be elements of these kinds.
        'elements': console.script("return document.querySelectorAll('.pane img, .pane script, .pane iframe, .pane a[href^=javascript]').length"),
        'raw': console.script(
            "return /[\\u202a-\\u202e\\u2066-\\u2069\\u200b-\\u200f\\u0000-\\u0008\\u001b\\u{e0000}-\\u{e007f}]/u.test(document.body.innerText)"),
    }
    console.picture('hostile')
    rows = urllib.request.Request(console.origin + '/api/v1/incidents.csv?state=all', headers={'cookie': '; '.join(
        f"{one['name']}={one['value']}" for one in console.driver.get_cookies())})
    with urllib.request.urlopen(rows, timeout=PATIENCE_S) as reply:
        seen['csv'] = reply.read().decode()
    return seen


def pages(console):
    """Every page in both themes and at the widths of a laptop and a wall, held against axe's rules."""
    axe = Path(console.settings['axe']).read_text(encoding='utf-8')
    console.first_admin()
    problems = []

    def visit(name, path):
        console.open(path)
        console.settled()
        # Figures and costs come behind the page.
        time.sleep(0.3)

    places = dict(PAGES)
    console.open('/incidents')
    console.one('.incident-list .vrow').click()
    console.one('.pane h2')
    places['incident'] = console.path()
    places['rule'] = '/rules/INJ-001'
    places['principal'] = '/principals/acme/key:checkout'

    for theme in ('light', 'dark'):
        console.theme(theme)
        for name, path in places.items():
            visit(name, path)
            if name == 'incident':
                console.one('.pane h2')
            console.script(axe + '; return true')
            found = console.driver.execute_async_script("""
                const done = arguments[arguments.length - 1];
                axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((found) => done(
                  found.violations.map((one) => [one.id, one.help, one.nodes.slice(0, 3).map((node) => [node.target.join(' '), node.failureSummary])])),
                  (error) => done([['axe', String(error), []]]));""")
            problems += [[f'{name}, {theme}', *one] for one in found]
            if (name, theme) in PICTURES:
                console.picture(name)
    console.theme('light')
    for width, height in ((900, 700), (1280, 800), (2560, 1440)):
        console.size(width, height)
        for name, path in places.items():
            visit(name, path)
            wide = console.script('return document.documentElement.scrollWidth - document.documentElement.clientWidth')
            if wide > 0:
                problems.append([f'{name} at {width}', f'{wide} pixels wider than the window'])
    return {'pages': sorted(places), 'problems': problems}


def oidc(console):
    """Signing in at an identity provider: by groups, by an administrator's word, and not at all."""
    seen = {}

    def at_provider(name):
        """Goes there and gives a name; without one turns back."""
        console.one('button', 'Sign in with Test staff').click()
        if name:
            console.one('input[name=login]').send_keys(name, Keys.ENTER)
        else:
            console.one('button[name=cancel]').click()

    def refused(name):
        console.open('/login')
        at_provider(name)
        text = console.one('.gate [role=alert]').text
        console.driver.execute_cdp_cmd('Network.clearBrowserCookies', {})
        return text

    def inside(name, path='/'):
        console.open(path)
        at_provider(name)
        console.one('#bar nav a', 'Overview')
        console.settled()
        return console.path()

    console.open('/')
    seen['first'] = console.one('.gate-box').text
    seen['ann'] = inside('ann')
    console.open('/access')
    seen['access'] = console.one('table').text
    seen['cookies'] = [
        [cookie['name'], cookie['httpOnly'], cookie['sameSite']] for cookie in console.driver.get_cookies()
        if cookie['name'].startswith('portcullis')
    ]
    console.driver.execute_cdp_cmd('Network.clearBrowserCookies', {})
    seen['mona'] = inside('mona', '/rules?sort=hits')
    seen['mona_nav'] = console.one('#bar nav').text
    console.driver.execute_cdp_cmd('Network.clearBrowserCookies', {})
    seen['eve'] = refused('eve')
    seen['pat'] = refused('pat')
    seen['back'] = refused(None)
    console.open('/api/v1/oidc/callback?code=stolen&state=guessed')
    seen['guessed'] = console.one('.gate [role=alert]').text
    return seen


SCENARIOS = {'review': review, 'queue': queue, 'hostile': hostile, 'pages': pages, 'oidc': oidc}


def main():
    console = Console(json.load(sys.stdin))
    try:
        seen = SCENARIOS[sys.argv[1]](console)
        seen['complaints'] = console.complaints()
        seen['elsewhere'] = console.elsewhere()
        json.dump(seen, sys.stdout)
    except Exception:  # whatever it was, the page is what explains it
        traceback.print_exc()
        page = console.driver.execute_script('return document.body.innerText')
        print(f'--- {console.driver.current_url}\n{page[:3000]}\n--- {console.complaints()}', file=sys.stderr)
        console.driver.save_screenshot(os.path.join(os.environ.get('TMPDIR', '/tmp'), 'portcullis-console.png'))
        sys.exit(1)
    finally:
        console.driver.quit()


main()
