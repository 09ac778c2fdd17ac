-- What an answer says about rate limits, in every dialect servers speak. Pure: an answer and the
-- time in, a wait out.
--
--     local wait = limits.read({ status = 429, headers = { ["retry-after"] = "30" } }, os.time())
--     -- { limited = true, seconds = 31, reason = "rate limit" }
--
-- Read are, the first that tells counting:
--   Retry-After                         seconds or an HTTP date (RFC 9110)
--   *RateLimit-Reset-After              seconds with decimals (Discord)
--   *Rate[-]Limit*-Reset, -Remaining    an ISO 8601 time (Mastodon, GoToSocial); seconds since 1970
--                                       (X, Bluesky, Twitch, GitHub), milliseconds too; or seconds
--                                       from now (Tumblr's Perhour and Perday, RateLimit drafts)
--   RateLimit: limit=…, remaining=…, reset=…  and  RateLimit: "name";r=…;t=…   (IETF drafts)
--   X-App-Usage, X-Business-Use-Case-Usage    per cent of an allowance (Facebook)
--   retry_after in a JSON body                seconds (Discord, Matrix)
--   "resetMs" in a JSON body                  milliseconds since 1970 (Misskey)
--   "quotaExceeded" in a JSON body with 403   until midnight in California (YouTube)
-- What is left of a window of 60 calls or more is spread over the rest of it once less than a tenth
-- of it is left: that wait is called "pacing".
-- Times are taken against the server's own Date header, so a wrong clock here does no harm. A
-- second is added to what a server says, because its window may end within the second it names.
local core = require "daub.core.http"

local M = {}

local MARGIN = 1          -- seconds added to what a server says
local LONGEST_TIME = 60   -- bytes; longer texts are no times
local LONGEST_TEXT = 4096 -- bytes looked at otherwise: patterns must not crawl through hostile ones
local PACED_WINDOW = 60   -- calls; those of a smaller window are simply used up
local PACED_SHARE = 0.1   -- of a window's calls left: from then on they are spread
local DAY = 86400
local QUOTA_ENDS = 8 * 3600 -- seconds of the day in UTC: midnight of Pacific Standard Time
local USAGE_PAUSE = 300   -- Facebook names no time: its window of an hour slides

--- Seconds since 1970 of "2026-08-01T13:50:00.621469Z" or nil; offsets are read, none means UTC.
---@param text string
---@return number|nil
function M.iso_time(text)
  local year, month, day, hour, minute, second, zone =
    text:match("^%s*(%d%d%d%d)%-(%d%d)%-(%d%d)[Tt ](%d%d):(%d%d):(%d%d%.?%d*)%s*(%S*)%s*$")
  if not year then return nil end
  -- Days since 1970, in years that begin in March (Howard Hinnant, "chrono-compatible algorithms").
  local y, m, d = tonumber(year), tonumber(month), tonumber(day)
  if m <= 2 then y = y - 1 end
  local era_year = y % 400
  local year_day = math.floor((153 * ((m + 9) % 12) + 2) / 5) + d - 1
  local era_day = era_year * 365 + math.floor(era_year / 4) - math.floor(era_year / 100) + year_day
  local days = math.floor(y / 400) * 146097 + era_day - 719468
  local seconds = days * 86400 + hour * 3600 + minute * 60 + tonumber(second)
  local sign, hours, minutes = zone:match("^([+-])(%d%d):?(%d%d)$")
  if sign then
    seconds = seconds - tonumber(sign .. "1") * (hours * 3600 + minutes * 60)
  elseif zone ~= "" and zone:upper() ~= "Z" then
    return nil
  end
  return seconds
end

--- Seconds from `now` to what a reset or Retry-After header says, or nil when it says nothing
--- readable.
---@param text string
---@param now number seconds since 1970
---@return number|nil seconds at least 0
function M.seconds_until(text, now)
  if #text > LONGEST_TIME then return nil end
  local n = tonumber(text:match("^%s*(%d+%.?%d*)%s*$"))
  local at
  if not n then
    at = M.iso_time(text) or core.date(text)
  elseif n > 1e11 then
    at = n / 1000
  elseif n > 1e9 then
    at = n
  else
    return n
  end
  return at and math.max(0, at - now)
end

local FIELDS = { limit = "limit", remaining = "remaining", reset = "reset",
  ["reset-after"] = "reset_after" }

-- The windows the headers tell of: {remaining = number?, seconds = number?}, one per prefix
-- ("x-ratelimit-", "x-ratelimit-perday-", …).
local function windows_of(headers, now)
  local by_prefix, list = {}, {}
  local function window(prefix)
    if not by_prefix[prefix] then
      by_prefix[prefix] = {}
      list[#list + 1] = by_prefix[prefix]
    end
    return by_prefix[prefix]
  end
  for name, value in pairs(headers) do
    local plain = name:find("limit", 1, true)
      and name:sub(1, LONGEST_TIME):gsub("rate%-limit", "ratelimit")
    for ending, field in pairs(plain and FIELDS or {}) do
      local prefix = plain:match("^(.*ratelimit.*)%-" .. ending:gsub("%-", "%%-") .. "$")
      if prefix then window(prefix)[field] = value end
    end
  end
  local draft = headers.ratelimit and headers.ratelimit:sub(1, LONGEST_TEXT)
  if draft then
    local w = window("ratelimit")
    w.limit = draft:match("limit=(%d+)")
    w.remaining = draft:match("remaining=(%d+)") or draft:match(";%s*r=(%d+)")
    w.reset = draft:match("reset=(%d+)") or draft:match(";%s*t=(%d+)")
  end
  for _, w in ipairs(list) do
    w.remaining, w.limit = tonumber(w.remaining), tonumber(w.limit)
    w.seconds = (w.reset_after and M.seconds_until(w.reset_after, now))
      or (w.reset and M.seconds_until(w.reset, now))
  end
  return list
end

-- The longest wait among the windows used up; when `limited` and none says so, the shortest of all.
local function window_wait(windows, limited)
  local longest, shortest
  for _, w in ipairs(windows) do
    if w.seconds and w.remaining and w.remaining <= 0 then
      longest = math.max(longest or 0, w.seconds)
    elseif w.seconds then
      shortest = math.min(shortest or w.seconds, w.seconds)
    end
  end
  return longest or (limited and shortest or nil)
end

-- Seconds between two calls when a window is nearly used up.
local function pace(windows)
  local slowest
  for _, w in ipairs(windows) do
    if w.seconds and w.remaining and w.limit and w.limit >= PACED_WINDOW and w.remaining > 0
      and w.remaining < PACED_SHARE * w.limit then
      slowest = math.max(slowest or 0, w.seconds / (w.remaining + 1))
    end
  end
  return slowest
end

local function usage_wait(headers)
  local text = (headers["x-app-usage"] or "") .. (headers["x-business-use-case-usage"] or "")
  text = text:sub(1, LONGEST_TEXT)
  local used = 0
  for _, name in ipairs { "call_count", "total_time", "total_cputime" } do
    for share in text:gmatch('"' .. name .. '"%s*:%s*(%d+)') do
      used = math.max(used, tonumber(share))
    end
  end
  if used < 100 then return nil end
  local minutes = tonumber(text:match('"estimated_time_to_regain_access"%s*:%s*(%d+)')) or 0
  return minutes > 0 and minutes * 60 or USAGE_PAUSE
end

local function beginning(answer)
  return (answer.body or ""):sub(1, LONGEST_TEXT)
end

local FACEBOOK_LIMITS = { ["4"] = true, ["17"] = true, ["32"] = true, ["613"] = true }

-- Facebook says so with 400 or 403 and a code in the body.
local function facebook_limited(answer)
  if answer.status ~= 400 and answer.status ~= 403 then return false end
  local code = beginning(answer):match('"error"%s*:%s*{.-"code"%s*:%s*(%d+)')
  return FACEBOOK_LIMITS[code] == true
end

-- YouTube: the calls of a day are used up, or those of a minute (nothing says for how long).
local function quota_reason(answer)
  if answer.status ~= 403 then return nil end
  return beginning(answer):match('"reason"%s*:%s*"(%a+)"')
end

local SPENT = { quotaExceeded = true, dailyLimitExceeded = true, rateLimitExceeded = true,
  userRateLimitExceeded = true }
local SPENT_TODAY = { quotaExceeded = true, dailyLimitExceeded = true }

-- What an answer's JSON says about the wait.
local function body_wait(answer, now)
  if SPENT_TODAY[quota_reason(answer)] then return (QUOTA_ENDS - now % DAY) % DAY end
  local text = beginning(answer)
  local reset = text:match('"resetMs"%s*:%s*(%d+)')
  return tonumber(text:match('"retry_after"%s*:%s*(%d+%.?%d*)'))
    or (reset and M.seconds_until(reset, now))
end

local function is_limited(answer, told)
  local status = answer.status
  if SPENT[quota_reason(answer)] then return true end
  if status == 429 or status == 420 or facebook_limited(answer) then return true end
  return told and (status == 403 or status == 408 or status >= 500)
end

--- What to wait for after an answer, or nil for nothing. `limited`: this very request was refused
--- and should be sent again after the wait; otherwise it was served and the wait is for the next
--- one. `seconds` is nil when the server refused without saying for how long.
---@param answer {status: integer, headers: table<string, string>, body: string?} lower-case names
---@param now number seconds since 1970, used when the server gives no Date
---@return {limited: boolean, seconds: number?, reason: string}|nil
function M.read(answer, now)
  local headers = answer.headers
  now = headers.date and core.date(headers.date) or now
  local after = headers["retry-after"] and M.seconds_until(headers["retry-after"], now)
  local windows = windows_of(headers, now)
  local spent = window_wait(windows, false)
  local limited = is_limited(answer, after or (answer.status == 403 and spent))
  local seconds = spent
  if limited then
    seconds = after or window_wait(windows, true) or usage_wait(headers)
      or body_wait(answer, now)
  end
  seconds = seconds or usage_wait(headers)
  local slow = not limited and not seconds and pace(windows)
  if slow then return { limited = false, seconds = slow, reason = "pacing" } end
  if not limited and not seconds then return nil end
  local reason = answer.status >= 500 and "server busy" or "rate limit"
  return { limited = limited, seconds = seconds and seconds + MARGIN, reason = reason }
end

return M
