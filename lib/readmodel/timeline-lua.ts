// The scripts of lib/readmodel/timeline.ts. Ids are compared as two 32-bit halves: Lua 5.1 numbers hold 53 bits, and
// its string comparison follows the server's locale. An element of 16 bytes is an entry (activity, author); the last
// one is the seal: S + low watermark + version + time (25 bytes; 17 without the time, of a release before), or, while it
// is built, B + token (9 bytes).

const older = `
local function older(a, b)
  local ah, al = struct.unpack('>I4I4', a)
  local bh, bl = struct.unpack('>I4I4', b)
  return ah < bh or (ah == bh and al < bl)
end`;

/** A seal of either form: a timeline whose seal is old is trimmed all the same until its next visit makes it again. */
const isSeal = `
local function isSeal(element) return #element ~= 16 and string.byte(element) == 83 end`;

/**
 * KEYS: timelines. ARGV: entries kept, slack, then each entry and how many of the keys are its own. Pushes where the key exists,
 * in order, once; trims now and then.
 */
export const pushLua = `${older}${isSeal}
local call, unpack = redis.call, struct.unpack
local keep, slack = tonumber(ARGV[1]), tonumber(ARGV[2])
local function insert(key, entry, id)
  local from, size = 0, 8
  while true do
    local part = call('LRANGE', key, from, from + size - 1)
    if #part == 0 then return end
    for _, element in ipairs(part) do
      if #element ~= 16 then
        if isSeal(element) and older(id, string.sub(element, 2, 9)) then return end
        return call('LINSERT', key, 'BEFORE', element, entry)
      end
      if string.sub(element, 1, 8) == id then return end
      if older(element, id) then return call('LINSERT', key, 'BEFORE', element, entry) end
    end
    from, size = from + size, 64
  end
end
local function trim(key)
  local last = call('RPOP', key)
  if isSeal(last) then
    call('LTRIM', key, 0, keep - 1)
    last = 'S' .. string.sub(call('LINDEX', key, -1), 1, 8) .. string.sub(last, 10)
  end
  call('RPUSH', key, last)
end
local nth = 0
for at = 3, #ARGV, 2 do
  local entry = ARGV[at]
  local id = string.sub(entry, 1, 8)
  local high, low = unpack('>I4I4', entry)
  for _ = 1, tonumber(ARGV[at + 1]) do
    nth = nth + 1
    local key = KEYS[nth]
    local head = call('LINDEX', key, 0)
    if head then
      local length
      if #head == 16 then
        local h, l = unpack('>I4I4', head)
        if h < high or (h == high and l < low) then length = call('LPUSH', key, entry) end
      end
      if not length then
        insert(key, entry, id)
        length = call('LLEN', key)
      end
      if length > keep + slack then trim(key) end
    end
  end
end
return 1`;

/**
 * KEYS: timeline. ARGV: token, seconds. From here on pushes land, and only the token that this answers may seal: builds under way
 * share one, or two that are slow would take the timeline from each other for ever.
 */
export const beginLua = `
local last = redis.call('LINDEX', KEYS[1], -1)
local mark = 'B' .. ARGV[1]
if not last then redis.call('RPUSH', KEYS[1], mark)
elseif #last == #mark and string.byte(last) == 66 then mark = last
else redis.call('LSET', KEYS[1], -1, mark) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return string.sub(mark, 2)`;

/** KEYS: timeline. ARGV: token, low watermark, version + time, entries, entries kept, seconds. Merges what was built with what was pushed. */
export const sealLua = `${older}
local key, low, blob, keep = KEYS[1], ARGV[2], ARGV[4], tonumber(ARGV[5])
if redis.call('LINDEX', key, -1) ~= 'B' .. ARGV[1] then return 0 end
local pushed = redis.call('LRANGE', key, 0, -2)
local out, at, from = {}, 1, 1
while #out < keep do
  local a = pushed[at]
  local b = from <= #blob and string.sub(blob, from, from + 15) or nil
  if a and b and string.sub(a, 1, 8) == string.sub(b, 1, 8) then at = at + 1
  elseif a and (not b or older(b, a)) then
    at = at + 1
    if not older(a, low) then out[#out + 1] = a end
  elseif b then
    from = from + 16
    if not older(b, low) then out[#out + 1] = b end
  else break end
end
if #out == keep then low = string.sub(out[#out], 1, 8) end
out[#out + 1] = 'S' .. low .. ARGV[3]
redis.call('DEL', key)
redis.call('RPUSH', key, unpack(out))
redis.call('EXPIRE', key, ARGV[6])
return 1`;

/** KEYS: timeline. ARGV: activity, count. The seal, then the newest entries older than the activity, in one string. */
export const sliceLua = `${older}
local last = redis.call('LINDEX', KEYS[1], -1)
if not last then return {} end
local out, before, count, from = {}, ARGV[1], tonumber(ARGV[2]), 0
while #out < count do
  local part = redis.call('LRANGE', KEYS[1], from, from + 127)
  for _, element in ipairs(part) do
    if #element == 16 and #out < count and older(element, before) then out[#out + 1] = element end
  end
  if #part < 128 then break end
  from = from + 128
end
return { last, table.concat(out) }`;

/**
 * KEYS: timeline. ARGV: activity, count, and seconds where this look lets it live on. The seal, then the entries just newer than
 * the activity, newest first, in one string.
 */
export const aboveLua = `${older}
local last = redis.call('LINDEX', KEYS[1], -1)
if not last then return {} end
if ARGV[3] then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
local newer, after, count, from, ended = {}, ARGV[1], tonumber(ARGV[2]), 0, false
while not ended do
  local part = redis.call('LRANGE', KEYS[1], from, from + 127)
  for _, element in ipairs(part) do
    ended = #element ~= 16 or not older(after, element)
    if ended then break end
    newer[#newer + 1] = element
  end
  ended = ended or #part < 128
  from = from + 128
end
return { last, table.concat(newer, '', math.max(1, #newer - count + 1)) }`;

/**
 * KEYS: timeline. ARGV: count, and seconds where this look lets it live on. The seal, then the newest entries in one string: both of
 * one moment, or a flush between them would look like an end.
 */
export const headLua = `
local last = redis.call('LINDEX', KEYS[1], -1)
if not last then return {} end
if ARGV[2] then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
local out = redis.call('LRANGE', KEYS[1], 0, ARGV[1] - 1)
if #out > 0 and #out[#out] ~= 16 then out[#out] = nil end
return { last, table.concat(out) }`;
