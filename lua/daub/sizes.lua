-- What each network wants of a cover: its size, and how many bytes it may have.
local M = {}

---@class daub.Size
---@field width integer
---@field height integer
---@field max_bytes integer

-- Facebook shows 820x312 (twice that is painted), YouTube keeps the middle 1546x423 on every
-- screen.
---@type table<string, daub.Size>
M.networks = {
  x = { width = 1500, height = 500, max_bytes = 700000 },
  mastodon = { width = 1500, height = 500, max_bytes = 2000000 },
  bluesky = { width = 3000, height = 1000, max_bytes = 1000000 },
  facebook = { width = 1640, height = 624, max_bytes = 4000000 },
  linkedin = { width = 1584, height = 396, max_bytes = 8000000 },
  misskey = { width = 1500, height = 500, max_bytes = 2000000 },
  twitch = { width = 1200, height = 480, max_bytes = 10000000 },
  tumblr = { width = 3000, height = 1055, max_bytes = 10000000 },
  youtube = { width = 2560, height = 1440, max_bytes = 6000000 },
}

M.names = { "x", "facebook", "mastodon", "bluesky", "linkedin", "youtube", "misskey",
  "twitch", "tumblr" }

return M
