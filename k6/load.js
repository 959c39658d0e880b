// One window of load: one server, one workload, one offered rate. Started by wsgilab/measure/load.py, which reads
// the file that handleSummary writes. Runs on k6 1.1 and 2.x; imports nothing over the network.
//
// As time passes:  warm-up -> settle -> measure (a blank lead-in, then the schedule) -> grace
// Open model: requests start when the schedule says so, however late the answers are.

import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Gauge, Trend } from 'k6/metrics';
import { described, named, scripted } from './traffic.js';
import { workloads } from './workloads.js';

// Names of our own: k6 reads K6_VUS, K6_DURATION and the like itself, and they replace the scenarios.
const RATE_RPS = Number(__ENV.LAB_RATE);
const WARMUP_S = Number(__ENV.LAB_WARMUP_S);
const DURATION_S = Number(__ENV.LAB_DURATION_S);
const GRACE_S = Number(__ENV.LAB_GRACE_S);
const TIMEOUT_S = Number(__ENV.LAB_TIMEOUT_S);
const VUS = Number(__ENV.LAB_VUS);
const SERVER = __ENV.LAB_SERVER;
const KEEP_ALIVE = __ENV.LAB_KEEP_ALIVE === '1';
const RUN = __ENV.LAB_RUN || ''; // the run that started the server, where one did
// One of several k6 that share a schedule by its execution segments, and where they wait for each other.
const GENERATORS = Number(__ENV.LAB_GENERATORS || 1);
const START_LINE = __ENV.LAB_START_LINE || '';
// Two servers that take turns have a k6 each, which start together: so many requests of one, so many of the other.
const TURN_TICKS = Number(__ENV.LAB_TURN_TICKS || 0);
const TURN = Number(__ENV.LAB_TURN || 0); // 0 for the one that begins, 1 for the other
const EACH_REQUEST = __ENV.LAB_EACH_REQUEST === '1'; // a line on the console for every measured request

const PERIOD_S = 1 / RATE_RPS;
const SCHEDULED = Math.max(1, Math.round(RATE_RPS * DURATION_S));
const TICKS = TURN_TICKS > 0 ? 2 * Math.ceil(SCHEDULED / TURN_TICKS) * TURN_TICKS : SCHEDULED; // the other's too

// The warm-up asks at the full rate but with few VUs: it reaches every worker, and it never builds a backlog that
// the measured part would have to wait behind. It is why k6 warns of insufficient VUs under an overload.
const WARMUP_VUS = shared(16);
const SETTLE_S = 0.25; // between warm-up and lead-in: the last warm-up answers arrive
// k6 needs some 30 ms per 1,000 VUs to activate them, and then fires the ticks it missed all at once. So the
// first ticks of the measured scenario send nothing, and the schedule proper starts evenly spaced.
const LEAD_S = 0.25;
const LEAD_TICKS = Math.ceil(LEAD_S * RATE_RPS);
// Room for a last tick that k6 fires late. Ticks that come after the last scheduled one send nothing.
const TAIL_S = 0.1;
const CLOCK_RPS = 50;

const warmupS = WARMUP_S > 0 ? Math.max(1, WARMUP_S - SETTLE_S - LEAD_S) : 0; // k6 refuses less than 1 s
const measureAtS = WARMUP_S > 0 ? warmupS + SETTLE_S : 0;
const measureS = Math.max(1, (LEAD_TICKS + TICKS) * PERIOD_S + TAIL_S);
const leadS = LEAD_TICKS * PERIOD_S;
const scheduleEndMs = (LEAD_TICKS + TICKS) * PERIOD_S * 1000; // since the scenario's start

// k6 gives each generator the part of a rate that its part of the VUs can carry: an exact share needs a multiple.
function shared(vus) {
  return Math.ceil(vus / GENERATORS) * GENERATORS;
}

const seconds = (s) => `${Math.round(s * 1e6)}us`;

// k6 wants a whole number of iterations per time unit; this allows three decimals of a request per second.
const arrivals = { executor: 'constant-arrival-rate', rate: Math.round(RATE_RPS * 1000), timeUnit: '1000s' };

const scenarios = {
  measure: {
    ...arrivals,
    exec: 'measure',
    tags: { phase: 'measure' },
    startTime: seconds(measureAtS),
    duration: seconds(measureS),
    preAllocatedVUs: shared(VUS), // all of them before the start: making one under load costs a dropped request each
    gracefulStop: seconds(Math.max(0, GRACE_S - TAIL_S)),
  },
  // A clock that does nothing but look how late it is. It shares k6's CPU but not the server's answers, so what
  // it shows is k6 falling behind, and never a slow server.
  clock: {
    executor: 'constant-arrival-rate',
    exec: 'clock',
    rate: CLOCK_RPS,
    timeUnit: '1s',
    startTime: seconds(measureAtS),
    duration: seconds(Math.max(1, leadS + TICKS * PERIOD_S)),
    preAllocatedVUs: shared(10),
    gracefulStop: '0s',
  },
};
if (warmupS > 0) {
  scenarios.warmup = {
    ...arrivals,
    exec: 'warmup',
    tags: { phase: 'warmup' },
    duration: seconds(warmupS),
    preAllocatedVUs: WARMUP_VUS,
    gracefulStop: seconds(SETTLE_S + LEAD_S / 2),
  };
}

// Percentiles of answered requests. The verdict needs them over *scheduled* requests, whose p99 may be any
// quantile of the answered ones: hence a ladder, finer where tails are read.
const ladder = [];
for (let p = 0; p < 90; p += 1) ladder.push(p);
for (let p = 180; p < 198; p += 1) ladder.push(p / 2);
for (let p = 990; p < 1000; p += 1) ladder.push(p / 10);
ladder.push(99.95, 99.99, 100);

// By status code for those that tell something, by class for the rest. "0" is no answer at all.
const STATUSES = ['0', '200', '201', '204', '301', '302', '304', '400', '401', '403', '404', '405', '408', '413',
  '414', '415', '422', '429', '431', '500', '502', '503', '504', '2xx', '3xx', '4xx', '5xx', 'other'];

const traffic = chosenTraffic();

function chosenTraffic() {
  const timeout = seconds(TIMEOUT_S);
  if (__ENV.LAB_SCRIPT) return scripted(__ENV.LAB_SCRIPT);
  if (__ENV.LAB_TRAFFIC) return described(__ENV.LAB_TRAFFIC, __ENV.LAB_TARGET, timeout);
  const path = __ENV.LAB_WORKLOAD;
  const shape = path.startsWith('/') ? { method: 'GET', path } : workloads[path];
  if (!shape) throw new Error(`no workload is called ${path}`);
  return named(shape, __ENV.LAB_TARGET, timeout);
}

// A metric's share under one tag is in the summary only if a threshold asks for it. These always hold. (A counter
// for each would cost every VU some 50 µs at the start.)
const finishedAs = (status) => `requests_finished{phase:measure,status:${status}}`;
const expectedAs = (status) => `requests_expected{status:${statusName(status)}}`;
const MEASURED_SENT = 'requests_sent{phase:measure}';
const MEASURED_DROPPED = 'dropped_iterations{scenario:measure}';
const NEVER_ANSWERED = 'requests_finished{status:0}';
const ANY_GOOD = STATUSES.filter((status) => status[0] === '2').map((status) => `requests_finished{status:${status}}`);
const thresholds = {};
for (const name of [MEASURED_SENT, MEASURED_DROPPED, NEVER_ANSWERED, ...ANY_GOOD, ...STATUSES.map(finishedAs)]) {
  thresholds[name] = ['count>=0'];
}
for (const name of traffic.names) {
  thresholds[`requests_sent{phase:measure,request:${name}}`] = ['count>=0'];
  thresholds[`requests_ok{request:${name}}`] = ['count>=0'];
  thresholds[`response_time{request:${name}}`] = ['max>=0'];
}

for (const status of traffic.expected) thresholds[expectedAs(status)] = ['count>=0'];

export const options = {
  scenarios,
  thresholds,
  discardResponseBodies: true,
  // Every request on a connection of its own, like a visitor seen once. k6 hands requests to its VUs in turn, and
  // a VU keeps its connections to itself: with hundreds of VUs, keep-alive means hundreds of idle connections and
  // hardly any reuse. That stalls waitress (100 connections at most) and uWSGI's http11-socket (an idle
  // connection holds a thread), and reuse would depend on the offered rate.
  noConnectionReuse: !KEEP_ALIVE,
  setupTimeout: '120s', // users log in there
  summaryTrendStats: ladder.map((p) => `p(${p})`),
  systemTags: ['status', 'scenario'], // no url, name, error…: every tag is a label in Prometheus
  tags: {
    server: SERVER,
    workload: __ENV.LAB_WORKLOAD,
    rate: __ENV.LAB_RATE,
    round: __ENV.LAB_ROUND,
    ...(GENERATORS > 1 ? { generator: __ENV.LAB_GENERATOR } : {}), // or all would write the same series
  },
};

const responseTime = new Trend('response_time', true);
const clockLag = new Trend('clock_lag', true);
const firstRequestAt = new Gauge('first_request_at');
const firstTick = new Gauge('first_tick'); // of this generator, lead-in included
const scheduleAt = new Gauge('schedule_at'); // when its schedule began
const toldAt = new Gauge('told_at'); // when it was told to start, a moment that all generators share
const sent = new Counter('requests_sent');
const finished = new Counter('requests_finished');
const ok = new Counter('requests_ok');
const okInGrace = new Counter('requests_ok_in_grace');
const wrongServer = new Counter('requests_wrong_server');
const unexpectedText = new Counter('requests_unexpected_text');
const reused = new Counter('requests_reused');
const expected = new Counter('requests_expected'); // good answers other than 2xx

// A few answers are looked at more closely: counts alone cannot say where a redirect leads or whom a 400 blames.
const LOOKED_AT = 10;
const LOOK_EVERY = Math.ceil(SCHEDULED / LOOKED_AT);

function ask(tick, users, look) {
  const name = traffic.nameOf(tick);
  sent.add(1, name ? { request: name } : {}); // before the request: what the grace cuts off was sent all the same
  const answer = traffic.ask(tick, users, look);
  finished.add(1, { status: statusName(answer.response.status) });
  return answer;
}

function statusName(status) {
  const exact = String(status);
  if (STATUSES.includes(exact)) return exact;
  const byClass = `${exact[0]}xx`;
  return STATUSES.includes(byClass) ? byClass : 'other';
}

// Users log in before the schedule begins: what that costs is not measured. Of several generators each logs in all users
// for itself, and then waits at the start line, whose answer comes to all at the same moment.
export function setup() {
  const users = traffic.login((send) => {
    sent.add(1);
    const response = send();
    finished.add(1, { status: statusName(response.status) });
    return response;
  });
  if (START_LINE && http.get(START_LINE, { timeout: '110s' }).status !== 204) throw new Error('the start was called off');
  toldAt.add(Date.now());
  return users;
}

export function warmup(users) {
  ask(exec.scenario.iterationInTest, users, false);
}

export function measure(users) {
  if (exec.scenario.iterationInInstance === 0) {
    firstTick.add(exec.scenario.iterationInTest);
    scheduleAt.add(exec.scenario.startTime);
  }
  // Counts the iterations that began. A dropped one is not among them, but none is dropped in the lead-in.
  const tick = ownTick(exec.scenario.iterationInTest - LEAD_TICKS);
  if (tick < 0 || tick >= SCHEDULED) return;
  const sentAtMs = Date.now();
  if (tick === 0) firstRequestAt.add(sentAtMs);
  const isLookedAt = tick % LOOK_EVERY === 0;
  const { response, name, good, unexpected } = ask(tick, users, isLookedAt);
  // `duration` alone leaves the connection out, and a full backlog shows nowhere else.
  const tookMs = response.timings.blocked + response.timings.duration;
  // A script of the user's own need not hand over its answers; where it does not, nothing is known of them.
  const fromAnother = good && response.headers && !isFrom(response.headers);
  if (EACH_REQUEST) {
    const outcome = fromAnother ? 'wrong_server' : good ? 'ok' : 'failed';
    // No letter that the console would put into quotes.
    console.log(['R', tick, sentAtMs, response.status, tookMs, outcome, traffic.names.indexOf(name)].join('/'));
  }
  if (unexpected) unexpectedText.add(1);
  if (response.status > 0 && response.timings.connecting === 0) reused.add(1);
  if (!good) {
    if (isLookedAt && response.status > 0) describe(response);
    return;
  }
  if (fromAnother) {
    wrongServer.add(1);
    return;
  }
  const tags = name ? { request: name } : {};
  ok.add(1, tags);
  if (Math.floor(response.status / 100) !== 2) expected.add(1, { status: statusName(response.status) });
  if (Date.now() - exec.scenario.startTime > scheduleEndMs) okInGrace.add(1);
  responseTime.add(tookMs, tags);
}

// Its number among those of this server; below 0 where it is none of them.
function ownTick(tick) {
  if (TURN_TICKS === 0 || tick < 0) return tick;
  const turn = Math.floor(tick / TURN_TICKS);
  return turn % 2 === TURN ? Math.floor(turn / 2) * TURN_TICKS + (tick % TURN_TICKS) : -1;
}

function isFrom(headers) {
  return headers['X-Lab-Server'] === SERVER && (!RUN || headers['X-Lab-Run'] === RUN);
}

// The summary holds numbers only, so this goes through the console, which the runner keeps in a file.
function describe(response) {
  const answer = {
    status: statusName(response.status),
    redirect_to: (response.headers || {}).Location || '',
    host: __ENV.LAB_TARGET.replace(/^https?:\/\//, ''),
    blames_host: /\bhost\b|ALLOWED_HOSTS/i.test(response.body || ''),
    text: String(response.body || '').slice(0, 1000), // its server may say there which limit was exceeded
  };
  console.log(JSON.stringify(answer));
}

export function clock() {
  const dueMs = (exec.scenario.iterationInTest * 1000) / CLOCK_RPS;
  const lateMs = Date.now() - exec.scenario.startTime - dueMs;
  if (dueMs >= leadS * 1000) clockLag.add(Math.max(0, lateMs));
}

// How many ticks of the schedule are this generator's: equal segments take turns, so it has one in GENERATORS, counted from
// its first. 0 where it never began.
function shareOfSchedule(first) {
  if (GENERATORS === 1) return SCHEDULED;
  if (first === undefined) return 0;
  let share = 0;
  for (let tick = 0; tick < SCHEDULED; tick += 1) share += (tick + LEAD_TICKS - first) % GENERATORS === 0 ? 1 : 0;
  return share;
}

// A metric that was never added to is missing from the summary, not 0.
export function handleSummary(data) {
  const value = (name, key) => (data.metrics[name] ? data.metrics[name].values[key] : 0);
  const count = (name) => value(name, 'count');
  const quantiles = count('requests_ok') > 0 ? data.metrics.response_time.values : {};
  const statuses = STATUSES.map((name) => [name, count(finishedAs(name))]).filter((entry) => entry[1] > 0);
  const ladderOf = (values) =>
    Object.fromEntries(ladder.filter((p) => `p(${p})` in values).map((p) => [String(p), values[`p(${p})`]]));
  const scheduledOf = traffic.scheduled(SCHEDULED);
  const byRequest = traffic.names.map((name, number) => {
    const okCount = count(`requests_ok{request:${name}}`);
    return [
      name,
      {
        scheduled: scheduledOf[number],
        sent: count(`requests_sent{phase:measure,request:${name}}`),
        ok: okCount,
        ladder_ms: okCount > 0 ? ladderOf(data.metrics[`response_time{request:${name}}`].values) : {},
      },
    ];
  });
  const measured = statuses.reduce((sum, entry) => sum + entry[1], 0);
  // A redirect that is followed, and a script with several requests a tick, make more of them than ticks.
  const atTheStart = START_LINE ? 1 : 0; // nothing that the server saw
  const more = Math.max(0, count('http_reqs') - count('requests_finished') - atTheStart);
  const summary = {
    period_s: PERIOD_S * GENERATORS, // between two ticks of its own
    scheduled: shareOfSchedule(data.metrics.first_tick && data.metrics.first_tick.values.min),
    scheduled_in_all: SCHEDULED,
    schedule_at_ms: value('schedule_at', 'min'),
    told_at_ms: value('told_at', 'min'),
    sent: count(MEASURED_SENT),
    dropped: count(MEASURED_DROPPED),
    ok: count('requests_ok'),
    ok_in_time: count('requests_ok') - count('requests_ok_in_grace'),
    wrong_server: count('requests_wrong_server'),
    failed: measured - count('requests_ok') - count('requests_wrong_server'),
    total_sent: count('requests_sent') + more,
    total_answered: count('requests_finished') - count(NEVER_ANSWERED) + more,
    total_ok: ANY_GOOD.reduce((sum, name) => sum + count(name), 0),
    statuses: Object.fromEntries(statuses),
    ladder_ms: ladderOf(quantiles),
    by_request: byRequest, // a list: an object would put names that are numbers first
    unexpected_text: count('requests_unexpected_text'),
    expected: Object.fromEntries(traffic.expected.map((status) => [statusName(status), count(expectedAs(status))])),
    reused: __ENV.LAB_SCRIPT ? null : count('requests_reused'), // a script's own requests are not seen one by one
    started_at_ms: value('first_request_at', 'min'),
    clock_lag_ms: value('clock_lag', 'p(100)'),
    vus_max: value('vus_max', 'max'),
  };
  return { [__ENV.LAB_SUMMARY]: JSON.stringify(summary) };
}
