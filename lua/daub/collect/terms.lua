-- What networks say about learning from their pictures: told once to the person running this, in
-- one line, before the first collection from each.
local accounts = require "daub.accounts"
local json = require "daub.json"
local sources = require "daub.collect.sources"
local system = require "daub.core.system"

local M = {}

local function path() return accounts.folder() .. "/terms.json" end

---Tells what was not told before, and remembers it as read. With --quiet nobody reads it.
---@param list daub.collect.Source[]
---@param report daub.progress.Reporter
function M.tell(list, report)
  if report.quiet then return end
  local text = system.read_file(path(), 65536)
  local read = text and json.decode(text)
  if type(read) ~= "table" then read = {} end
  local news = false
  for _, source in ipairs(list) do
    local line = sources.terms(source.network)
    if line and read[source.network] ~= line then
      report:note(("%s: %s (said once)"):format(source.network, line))
      read[source.network], news = line, true
    end
  end
  if not news or not system.make_directory(accounts.folder()) then return end
  system.write_file(path(), json.pretty(read) .. "\n") -- told again next time if that fails
end

return M
