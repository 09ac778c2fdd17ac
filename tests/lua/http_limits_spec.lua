-- Every dialect of rate-limit headers, read against a fixed time.
local limits = require "daub.http.limits"

local NOW = 1785592800 -- 2026-08-01T14:00:00Z
local DATE = "Sat, 01 Aug 2026 14:00:00 GMT"

-- name, status, headers, limited, seconds (the margin of 1 included), body
local CASES = {
  { "Retry-After in seconds", 429, { ["retry-after"] = "289" }, true, 290 },
  { "Retry-After 0", 429, { ["retry-after"] = "0" }, true, 1 },
  { "Retry-After: a date", 429, { ["retry-after"] = "Sat, 01 Aug 2026 14:00:30 GMT" }, true, 31 },
  { "Retry-After as an old date form", 429,
    { ["retry-after"] = "Saturday, 01-Aug-26 14:00:30 GMT" }, true, 31 },
  { "Retry-After, past", 429, { ["retry-after"] = "Sat, 01 Aug 2026 13:00:00 GMT" }, true, 1 },
  { "Retry-After that is no time", 429, { ["retry-after"] = "soon" }, true, nil },
  { "Retry-After beats a window", 429,
    { ["retry-after"] = "5", ["x-ratelimit-reset"] = "900" }, true, 6 },
  { "throttling with 503", 503, { ["retry-after"] = "30" }, true, 31 },
  { "503 that names no time", 503, {}, nil },
  { "X: epoch seconds", 429,
    { ["x-rate-limit-remaining"] = "0", ["x-rate-limit-reset"] = "1785593700" }, true, 901 },
  { "Bluesky: epoch seconds", 429, { ["ratelimit-limit"] = "30", ["ratelimit-remaining"] = "0",
    ["ratelimit-reset"] = "1785592920", ["ratelimit-policy"] = "30;w=300" }, true, 121 },
  { "Mastodon: ISO 8601 with microseconds", 429, { ["x-ratelimit-remaining"] = "0",
    ["x-ratelimit-reset"] = "2026-08-01T14:05:00.500000Z" }, true, 301.5 },
  { "ISO 8601 with an offset", 429,
    { ["x-ratelimit-reset"] = "2026-08-01T16:00:10+02:00" }, true, 11 },
  { "ISO 8601 without offset", 429, { ["x-ratelimit-reset"] = "2026-08-01T14:00:10" }, true, 11 },
  { "epoch with decimals", 429, { ["x-ratelimit-reset"] = "1785592810.25" }, true, 11.25 },
  { "epoch milliseconds", 429, { ["x-ratelimit-reset"] = "1785592810500" }, true, 11.5 },
  { "Discord: reset-after beats reset", 429, { ["x-ratelimit-remaining"] = "0",
    ["x-ratelimit-reset"] = "1785592900.0", ["x-ratelimit-reset-after"] = "64.57" }, true, 65.57 },
  { "Discord: in the body", 429, {}, true, 65.57,
    '{"message":"You are being rate limited.","retry_after":64.57,"global":false}' },
  { "Tumblr: the window used up counts", 429, { ["x-ratelimit-perhour-remaining"] = "0",
    ["x-ratelimit-perhour-reset"] = "1200", ["x-ratelimit-perday-remaining"] = "4000",
    ["x-ratelimit-perday-reset"] = "40000" }, true, 1201 },
  { "Tumblr: both used up, the longer counts", 429, { ["x-ratelimit-perhour-remaining"] = "0",
    ["x-ratelimit-perhour-reset"] = "1200", ["x-ratelimit-perday-remaining"] = "0",
    ["x-ratelimit-perday-reset"] = "40000" }, true, 40001 },
  { "none tells, the shorter counts", 429,
    { ["x-ratelimit-perhour-reset"] = "1200", ["x-ratelimit-perday-reset"] = "9999" }, true, 1201 },
  { "a draft with parameters", 429, { ratelimit = "limit=100, remaining=0, reset=50" }, true, 51 },
  { "the draft with items", 429, { ratelimit = '"default";r=0;t=30' }, true, 31 },
  { "Facebook: error 32 with 403", 403, {}, true, nil,
    '{"error":{"message":"Page request limit reached","type":"OAuthException","code":32}}' },
  { "Facebook: the time is told elsewhere", 400,
    { ["x-business-use-case-usage"] = '{"1":[{"call_count":100,"total_cputime":20,"type":"p",' ..
      '"estimated_time_to_regain_access":19}]}' }, true, 1141,
    '{"error":{"code":4}}' },
  { "Facebook: another error", 400, {}, nil, nil, '{"error":{"code":100}}' },
  { "Facebook: the allowance is used up", 200,
    { ["x-app-usage"] = '{"call_count":100,"total_time":25,"total_cputime":25}' }, false, 301 },
  { "Facebook: there is some left", 200,
    { ["x-app-usage"] = '{"call_count":28,"total_time":25,"total_cputime":25}' }, nil },
  { "Misskey: milliseconds in the body", 429, {}, true, 31,
    '{"error":{"code":"RATE_LIMIT_EXCEEDED","info":{"remaining":0,"resetMs":1785592830000}}}' },
  { "YouTube: the calls of a day, until midnight in California", 403, {}, true, 18 * 3600 + 1,
    '{"error":{"code":403,"errors":[{"domain":"youtube.quota","reason":"quotaExceeded"}]}}' },
  { "YouTube: the calls of a minute", 403, {}, true, nil,
    '{"error":{"code":403,"errors":[{"reason":"rateLimitExceeded"}]}}' },
  { "YouTube: another refusal", 403, {}, nil, nil,
    '{"error":{"code":403,"errors":[{"reason":"subscriptionForbidden"}]}}' },
  { "little is left: it is spread", 200, { ["x-ratelimit-limit"] = "300",
    ["x-ratelimit-remaining"] = "9", ["x-ratelimit-reset"] = "100" }, false, 10 },
  { "much is left", 200, { ["x-ratelimit-limit"] = "300", ["x-ratelimit-remaining"] = "30",
    ["x-ratelimit-reset"] = "100" }, nil },
  { "a small window is not spread", 200, { ["x-rate-limit-limit"] = "15",
    ["x-rate-limit-remaining"] = "1", ["x-rate-limit-reset"] = "100" }, nil },
  { "429 without a word", 429, {}, true, nil },
  { "420", 420, {}, true, nil },
  { "403 with an empty window", 403,
    { ["x-ratelimit-remaining"] = "0", ["x-ratelimit-reset"] = "1785592860" }, true, 61 },
  { "plain 403", 403, { ["x-ratelimit-remaining"] = "9", ["x-ratelimit-reset"] = "60" }, nil },
  { "the last of a window", 200, { ["x-ratelimit-remaining"] = "0",
    ["x-ratelimit-reset"] = "2026-08-01T14:15:00.000000Z" }, false, 901 },
  { "some are left", 200, { ["x-ratelimit-remaining"] = "1",
    ["x-ratelimit-reset"] = "2026-08-01T14:15:00.000000Z" }, nil },
  { "nothing about limits", 200, { ["content-type"] = "text/html" }, nil },
}

describe("http limits", function()
  for _, case in ipairs(CASES) do
    local name, status, headers, limited, seconds, body = unpack(case, 1, 6)
    it(name, function()
      local wait = limits.read({ status = status, headers = headers, body = body }, NOW)
      if limited == nil then
        assert.is_nil(wait)
      else
        assert.equal(limited, wait.limited)
        assert.near(seconds or -1, wait.seconds or -1, 1e-3)
      end
    end)
  end

  it("takes the server's clock for absolute times", function()
    local headers = { date = DATE, ["x-ratelimit-reset"] = tostring(NOW + 60) }
    assert.near(61, limits.read({ status = 429, headers = headers }, NOW + 7200).seconds, 1e-6)
  end)

  it("is not held up by hostile texts", function()
    local digits, blanks = ("9"):rep(200000), (" "):rep(200000)
    local wait = limits.read({ status = 403, headers = {
      ["retry-after"] = digits .. "x", ratelimit = ("remaining="):rep(20000),
      ["x-app-usage"] = ('"call_count"' .. blanks):rep(3), [("ratelimit"):rep(20000)] = "1",
    }, body = ('{"error":{'):rep(50000) .. blanks }, NOW)
    assert.is_nil(wait)
  end)

  it("knows the calendar", function()
    assert.equal(0, limits.iso_time("1970-01-01T00:00:00Z"))
    assert.equal(951782400, limits.iso_time("2000-02-29T00:00:00Z"))
    assert.equal(1785592800, limits.iso_time("2026-08-01T14:00:00Z"))
    assert.equal(4107542400, limits.iso_time("2100-03-01T00:00:00Z"))
    assert.is_nil(limits.iso_time("2026-08-01"))
    assert.is_nil(limits.iso_time("2026-08-01T14:00:00 Berlin"))
  end)
end)
