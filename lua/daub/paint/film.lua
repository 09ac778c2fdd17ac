-- The frames of a walk as files: a folder of PNGs, an animated WebP, and an MP4 where there is an
-- ffmpeg.
--
--     local made, message = film.write("out/walk", 240, frame)      -- frame(i) -> pixels
--     made.webp, made.mp4, made.frames                       -- paths; without mp4: made.without
--
-- One frame at a time is in memory.
local image = require "daub.image"
local system = require "daub.core.system"

local M = {}

M.rate = 25             -- frames a second
local QUALITY = 80      -- of the WebP
local LONGEST = 3600    -- seconds ffmpeg may take

-- Runs ffmpeg on the PNGs; an odd row or column, which most players cannot show, is cut off.
local function mp4(path, pattern)
  local process = system.spawn({ "ffmpeg", "-nostdin", "-y", "-loglevel", "error",
    "-framerate", tostring(M.rate), "-i", pattern, "-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2",
    "-pix_fmt", "yuv420p", "-movflags", "+faststart", path },
    { stdin = "null", stdout = "null", stderr = "pipe" })
  if not process then return nil, "no MP4: there is no ffmpeg here" end
  local said = {}
  while true do
    local bytes = process:read_error(LONGEST)
    if not bytes then break end
    said[#said + 1] = bytes:sub(1, 4096)
  end
  local code = process:wait(LONGEST)
  if code == 0 and system.stat(path) then return path end
  return nil, ("no MP4: ffmpeg: %s"):format(table.concat(said):match("([^\n]+)\n*$")
    or "it ended with " .. tostring(code))
end

---@param base string without an ending: frames go to base/, the others to base.webp and base.mp4
---@param count integer
---@param frame fun(i: integer): daub.Tensor pixels u8 or f32, all of one size; nil ends it
---@return {frames: string, webp: string, mp4: string|nil, without: string|nil}|nil made
---@return string? message nil when `frame` ended it
function M.write(base, count, frame)
  local ok, message = system.make_directory(base)
  if not ok then return nil, message end
  local film
  for i = 1, count do
    local x = frame(i)
    if not x then return nil end
    film = film or image.animation(x.shape[2], x.shape[1],
      { quality = QUALITY, milliseconds = 1000 / M.rate })
    film:add(x)
    ok, message = image.save(("%s/frame-%05d.png"):format(base, i), x)
    if not ok then return nil, message end
  end
  local made = { frames = base, webp = base .. ".webp" }
  ok, message = system.write_file(made.webp, film:finish())
  if not ok then return nil, message end
  -- the pattern's own % must be doubled
  made.mp4, made.without = mp4(base .. ".mp4", (base:gsub("%%", "%%%%")) .. "/frame-%05d.png")
  return made
end

return M
