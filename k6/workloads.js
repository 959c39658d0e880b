// The named shapes of load: what one request asks for. This is their only home.
// The runner reads the same object as JSON, from its first brace to its last: so keys are quoted, there is
// no trailing comma, and comments stay outside of it.
export const workloads = {
  "mix": {"method": "GET", "path": "/mix", "about": "about 2 ms of CPU and a 20 ms wait: a small database-backed page"},
  "hello": {"method": "GET", "path": "/", "about": "next to nothing: what the server itself costs"},
  "io": {"method": "GET", "path": "/io?ms=20", "about": "a 20 ms wait and no CPU: slots decide"},
  "cpu": {"method": "GET", "path": "/cpu?ms=5", "about": "5 ms of CPU and no wait: cores decide"},
  "upload": {"method": "POST", "path": "/upload", "body_kb": 64, "about": "a 64 KB body to read: buffering decides"}
};
