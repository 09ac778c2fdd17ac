-- What collecting tells people at its end: how many there were, how many pictures, and why the rest
-- is not among them.
local progress = require "daub.progress"
local collection_module = require "daub.collect.collection"

local M = {}

local order = { "duplicate", "lookalike", "no-cover", "default", "blank", "small", "unreadable",
  "gone", "too-big", "bad-address", "link", "removed", "unreachable", "waiting" }
local with_example = { unreadable = true, ["too-big"] = true, ["bad-address"] = true,
  unreachable = true }

-- The first skip of each reason, for an example.
local function examples(collection)
  local first = {}
  for _, skip in ipairs(collection:skips() or {}) do
    if not first[skip.reason] then
      first[skip.reason] = progress.plain(("e.g. %s: %s"):format(skip.handle,
        skip.detail or ""))
    end
  end
  return first
end

-- Lines to print.
---@param collection daub.Collection
---@param noun string  "people", "files" …
---@return string[]|nil lines, string? message, string? code
function M.lines(collection, noun)
  local counts, message, code = collection:counts()
  if not counts then return nil, message, code end
  local lines = { ("%s: %s from %d %s"):format(collection.path,
    progress.count(counts.pictures, "picture"), counts.people, noun) }
  local first = examples(collection)
  for _, reason in ipairs(order) do
    local n = counts.skipped[reason]
    if n then
      lines[#lines + 1] = ("%7d  %s"):format(n, collection_module.reasons[reason])
      if with_example[reason] then lines[#lines + 1] = (" "):rep(11) .. first[reason] end
    end
  end
  return lines
end

return M
