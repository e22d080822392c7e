-- For wrk: send what the environment asks for, and print one JSON object at the end.
wrk.method = os.getenv("METHOD") or "GET"
if wrk.method == "POST" then
  wrk.body = os.getenv("BODY")
  wrk.headers["Content-Type"] = "application/json"
end
wrk.headers["Cookie"] = os.getenv("COOKIE")

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "p50_ms": %.3f, "p95_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
