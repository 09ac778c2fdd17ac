-- Whether a decoded picture is of use as a cover. Nothing here knows where it came from.
local M = {}

M.min_width, M.min_height = 300, 100 -- a 3:1 crop of anything smaller has nothing to learn from
M.max_flat = 0.985                   -- share of the most common colour
M.min_contrast = 3                   -- standard deviation of the brightness, at most 127.5

---@param statistics {flat: number, stddev: number}  of image.statistics
---@param info daub.PictureInfo
---@return string|nil reason, string? detail  nil: it is fine
function M.reject(statistics, info)
  if info.width < M.min_width or info.height < M.min_height then
    return "small", ("%dx%d"):format(info.width, info.height)
  elseif statistics.flat > M.max_flat then
    return "blank", ("%.1f %% one colour"):format(statistics.flat * 100)
  elseif statistics.stddev < M.min_contrast then
    return "blank", ("contrast %.1f of 127"):format(statistics.stddev)
  end
end

return M
