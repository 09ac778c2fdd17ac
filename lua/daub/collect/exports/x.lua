-- An X (Twitter) archive: the account's own header and the pictures it posted, and who follows and
-- is followed. The archive names those by number only, without banners: they are counted, and known
-- again when x:HANDLE collects them. Pictures of direct messages are left alone.
local pictures = require "daub.collect.exports.pictures"

local M = {}

local folders = { "profile_media", "tweets_media", "tweet_media", "community_tweet_media" }

---The entries of an archive; nil: this is none of X's.
---@param files daub.collect.ExportFiles
---@return table|nil
function M.open(files)
  local prefix
  for _, name in ipairs(files.names) do
    prefix = prefix or name:match("^(.-)data/account%.js$") or name:match("^(.-)data/follower%.js$")
  end
  return prefix and { prefix = prefix .. "data/" }
end

local function owner_of(files, prefix)
  local answer = files:json(prefix .. "account.js")
  local first = answer and type(answer[1]) == "table" and answer[1].account
  return type(first) == "table" and type(first.username) == "string" and "@" .. first.username
    or nil
end

-- Adds the numbers of follower.js, follower-part1.js … to `list`. They may be many: the text is
-- looked through for them, not decoded.
local function add_numbers(files, prefix, what, list, seen)
  for _, name in ipairs(files:find({ prefix .. what }, "%.js$")) do
    local rest = name:sub(#prefix + #what + 1)
    if rest == ".js" or rest:match("^%-part%d+%.js$") then
      local text, message, code = files:text(name)
      if not text then return nil, message, code end
      if not text:find("^%s*window%.YTD%." .. what) then
        return nil, ("%s: %s: not what X writes"):format(files.path, name), "format"
      end
      for id in text:gmatch('"accountId"%s*:%s*"(%d+)"') do
        if #id <= 20 and not seen[id] then
          seen[id] = true
          list[#list + 1] = id
        end
      end
    end
  end
  return true
end

---All entries: names of pictures, then account numbers.
---@return daub.collect.ExportEntries|nil, string? message, string? code
function M.entries(files, found)
  local prefixes, shown = {}, {}
  for i, folder in ipairs(folders) do prefixes[i] = found.prefix .. folder .. "/" end
  for _, name in ipairs(files:find(prefixes, "")) do
    if pictures.is(name) then shown[#shown + 1] = name end
  end
  local owner, numbers, seen = owner_of(files, found.prefix), {}, {}
  for _, what in ipairs { "follower", "following" } do
    local ok, message, code = add_numbers(files, found.prefix, what, numbers, seen)
    if not ok then return nil, message, code end
  end
  return { count = #shown + #numbers, entry = function(i)
    if i <= #shown then return pictures.person(files, shown[i], owner) end
    local id = numbers[i - #shown]
    return { key = "x:" .. id, handle = id, url = "https://x.com/i/user/" .. id,
      also = { "x:" .. id } }
  end }
end

return M
