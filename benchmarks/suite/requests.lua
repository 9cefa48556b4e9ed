-- Sends the requests of a file again and again, and tells in the end, as JSON, how it went.
-- In the file each request stands as it is sent, after a line with its length in bytes.

local requests, count, last = {}, 0, 0

function init(arguments)
   local file = assert(io.open(arguments[1], "rb"))
   for length in file:lines() do
      count = count + 1
      requests[count] = file:read(tonumber(length))
   end
   file:close()
end

function request()
   last = last % count + 1
   return requests[last]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"answered": %d, "seconds": %f, "p50": %f, "p99": %f, "refused": %d, "broken": %d}\n',
      summary.requests, summary.duration / 1e6,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      errors.status, errors.connect + errors.read + errors.write + errors.timeout
   ))
end
