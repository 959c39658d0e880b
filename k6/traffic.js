// What one tick of the schedule asks for. A named workload asks for the same each time, the traffic of a lab.toml for
// one of its requests, and a script of the user's own does what it likes. load.js decides when.

import encoding from 'k6/encoding';
import exec from 'k6/execution';
import http from 'k6/http';
import { SharedArray } from 'k6/data';

const MOST_REDIRECTS = 10;
const GOLDEN_RATIO = 0.6180339887498949;

// Each of these gives
//   names      of its requests, where it has several
//   expected   status codes other than 2xx that are good answers to some of them
//   nameOf     a tick's request (tick)
//   scheduled  how many requests of each name so many ticks make (ticks)
//   login      what users do once before the schedule begins (count): their sessions
//   ask        one request (tick, sessions, whether its body is looked at): {response, name, good, unexpected}

export function named(shape, target, timeout) {
  const params = { timeout, redirects: 0 };
  if (shape.body_kb) params.headers = { 'Content-Type': 'application/octet-stream' };
  const url = target + shape.path;
  return {
    names: [],
    expected: [],
    nameOf: () => null,
    scheduled: () => [],
    login: () => [],
    ask(tick, users, look) {
      // Made anew each time: kept in every VU, 1,000 of them would hold 64 MB of the same letters.
      const body = shape.body_kb ? 'x'.repeat(shape.body_kb * 1024) : null;
      const response = http.request(shape.method, url, body, look ? { ...params, responseType: 'text' } : params);
      return { response, name: null, good: isSuccess(response) };
    },
  };
}

export function described(file, target, timeout) {
  // Shared by all VUs: each would hold its own copy of rows and bodies otherwise.
  const [mix] = new SharedArray('mix', () => {
    const all = JSON.parse(open(file));
    return [{ ...all, requests: all.requests.map(({ rows, body_base64, ...rest }) => rest) }];
  });
  const rows = mix.requests.map(
    (_, number) => new SharedArray(`rows ${number}`, () => JSON.parse(open(file)).requests[number].rows),
  );
  const bodies = mix.requests.map(
    (_, number) => new SharedArray(`body ${number}`, () => [JSON.parse(open(file)).requests[number].body_base64 || '']),
  );
  const logins = new SharedArray('logins', () => JSON.parse(open(file)).login_rows);
  const pick = picker(mix.requests.map((request) => request.weight));
  const redirects = mix.follow_redirects ? MOST_REDIRECTS : 0;
  const mine = {}; // what this VU has learnt of each user since the login: cookies, saved values

  function send(request, values, more, bytes) {
    const params = { timeout, redirects, ...more, headers: { ...filledAll(request.headers, values), ...more.headers } };
    let body = null;
    if ('json' in request) {
      params.headers = { 'Content-Type': 'application/json', ...params.headers };
      body = JSON.stringify(filledAll(request.json, values));
    } else if (request.form) {
      body = filledAll(request.form, values);
    } else if ('body' in request) {
      body = filled(request.body, values);
    } else if (bytes) {
      params.headers = { 'Content-Type': 'application/octet-stream', ...params.headers };
      body = encoding.b64decode(bytes);
    }
    return http.request(request.method, target + filledPath(request.path, values), body, params);
  }

  return {
    names: mix.requests.map((request) => request.name),
    expected: [...new Set(mix.requests.flatMap((request) => request.status))].filter((status) => !isSuccess({ status })),
    nameOf: (tick) => mix.requests[pick(tick)].name,

    scheduled(ticks) {
      const counts = mix.requests.map(() => 0);
      for (let tick = 0; tick < ticks; tick += 1) counts[pick(tick)] += 1;
      return counts;
    },

    // Runs in setup(), before the schedule: a session of each user, one after the other.
    login(count) {
      if (mix.login.length === 0) return [];
      const sessions = [];
      for (let user = 0; user < mix.users; user += 1) {
        const jar = new http.CookieJar();
        const values = { ...(logins.length ? logins[user % logins.length] : {}) };
        mix.login.forEach((step, number) => {
          const response = count(() => send(step, values, { jar, responseType: 'text', redirects: MOST_REDIRECTS }));
          if (response.status < 200 || response.status > 399) {
            throw new Error(`login: step ${number + 1} (${step.method} ${step.path}) was answered ${response.status}`);
          }
          learn(step, response, values, (name) => {
            throw new Error(`login: step ${number + 1} (${step.method} ${step.path}) has no ${name} in its answer`);
          });
        });
        const cookies = {};
        for (const [name, found] of Object.entries(jar.cookiesForURL(target))) cookies[name] = found[0];
        sessions.push({ cookies, values });
      }
      return sessions;
    },

    ask(tick, sessions, look) {
      const number = pick(tick);
      const request = mix.requests[number];
      const own = rows[number];
      const user = tick % mix.users;
      const session = mine[user] || (mine[user] = copyOf(sessions[user]));
      const values = own.length ? { ...session.values, ...own[tick % own.length] } : session.values;
      const reads = look || request.text || Object.keys(request.save).length > 0;
      // The number tells the lab's middleware whose CPU time it is; it keeps it from the app.
      const more = { cookies: session.cookies, tags: { request: request.name }, headers: { 'X-Lab-Request': String(number) } };
      if (reads) more.responseType = 'text';
      const response = send(request, values, more, bodies[number][0]);
      for (const [name, found] of Object.entries(response.cookies)) session.cookies[name] = found[0].value;
      if (reads) learn(request, response, session.values, () => {});
      const status = request.status.length ? request.status.includes(response.status) : isSuccess(response);
      const text = !request.text || (response.body || '').includes(String(filled(request.text, values)));
      return { response, name: request.name, good: status && text, unexpected: status && !text };
    },
  };
}

// A script of the user's own: its default function is one tick. Where it returns an answer, that is looked at.
export function scripted(file) {
  const script = require(file); // eslint-disable-line
  if (typeof script.default !== 'function') throw new Error(`${file} exports no default function`);
  // Its promise would be taken for an answer, at once.
  if (String(script.default).startsWith('async')) throw new Error('its default function is async: a tick is over when it returns');
  let made; // what its own setup() gave, if it has one
  return {
    names: [],
    expected: [],
    nameOf: () => null,
    scheduled: () => [],
    login: () => (script.setup ? [{ made: script.setup() }] : []),
    ask(tick, sessions) {
      if (made === undefined) made = sessions.length ? sessions[0].made : null;
      const began = Date.now();
      const response = called(script.default, made);
      const took = Date.now() - began;
      const answered = response && response.timings ? response : { status: 200, timings: { blocked: 0, duration: took }, headers: null };
      return { response: { ...answered, timings: { blocked: 0, duration: took } }, name: null, good: isSuccess(answered) };
    },
  };
}

// What a script's function gives. A typo in it is no server's doing, so it ends the window; what else it raises may come of
// an answer that it did not expect.
function called(tick, made) {
  let given;
  try {
    given = tick(made);
  } catch (error) {
    if (error instanceof ReferenceError) exec.test.abort(`the script raised ${error}`);
    throw error;
  }
  if (given && typeof given.then === 'function') exec.test.abort('the script gave a promise, and a tick is over when it returns');
  return given;
}

// Which request a tick makes, by weight. Successive multiples of the golden ratio fill the unit interval evenly, so even a
// short window has the mix that was asked for; and every server gets the same requests in the same order.
function picker(weights) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const ends = [];
  weights.reduce((sum, weight) => {
    ends.push((sum + weight) / total);
    return sum + weight;
  }, 0);
  return (tick) => {
    const point = (tick * GOLDEN_RATIO) % 1;
    const found = ends.findIndex((end) => point < end);
    return found < 0 ? ends.length - 1 : found;
  };
}

function learn(exchange, response, values, missing) {
  for (const [name, pattern] of Object.entries(exchange.save)) {
    const found = new RegExp(pattern).exec(response.body || '');
    if (found) values[name] = found[1];
    else missing(name);
  }
}

function isSuccess(response) {
  return response.status >= 200 && response.status <= 299;
}

function copyOf(session) {
  return session ? { cookies: { ...session.cookies }, values: { ...session.values } } : { cookies: {}, values: {} };
}

function filledPath(path, values) {
  return path.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? encodeURIComponent(values[name]) : whole));
}

// A text that is nothing but a placeholder becomes the value itself: a number stays a number in JSON.
function filled(text, values) {
  const alone = /^\{(\w+)\}$/.exec(text);
  if (alone && alone[1] in values) return values[alone[1]];
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

function filledAll(node, values) {
  if (typeof node === 'string') return filled(node, values);
  if (Array.isArray(node)) return node.map((item) => filledAll(item, values));
  if (node && typeof node === 'object') {
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, filledAll(value, values)]));
  }
  return node;
}
