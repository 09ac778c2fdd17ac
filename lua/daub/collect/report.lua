-- What collecting tells people at its end: how many there were, how many pictures, and why the rest
-- is not among them.
local progress = require "daub.progress"
local collection_module = require "daub.collect.collection"

local M = {}

local order = { "duplicate", "lookalike", "no-cover", "noindex", "default", "blank", "small",
  "unreadable", "gone", "too-big", "bad-address", "link", "removed", "unreachable", "waiting" }
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

local nouns = { folder = "files", urls = "addresses" }

-- What the collection's people are: "people", "files", "addresses", or "entries" of several kinds.
local function noun_of(collection)
  local noun
  for _, network in ipairs(collection:networks()) do
    local kind = nouns[network] or "people"
    if noun and noun ~= kind then return "entries" end
    noun = kind
  end
  return noun or "people"
end

---Lines to print.
---@param collection daub.Collection
---@return string[]|nil lines, string? message, string? code
function M.lines(collection)
  local counts, message, code = collection:counts()
  if not counts then return nil, message, code end
  local lines = { ("%s: %s from %d %s"):format(collection.path,
    progress.count(counts.pictures, "picture"), counts.people, noun_of(collection)) }
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
