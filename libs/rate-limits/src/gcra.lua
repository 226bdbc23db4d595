-- KEYS[1]: the caller; ARGV: the time that what is taken costs, and the most that may be used up, in microseconds; and 1 if
-- it is taken however much is used up.
-- Answers 0, or how long to wait in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local next = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now) + ARGV[1]
local wait = next - now - ARGV[2]
if wait > 0 and ARGV[3] ~= '1' then
  return math.ceil(wait)
end
redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
return 0
