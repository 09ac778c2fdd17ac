-- A Facebook archive (format JSON): one's own covers and pictures, and the names of one's friends.
-- The archive has no covers of theirs. Pictures of messages are left alone.
local json = require "daub.json"
local pictures = require "daub.collect.exports.pictures"

local M = {}

-- Where the friends are, in archives of 2024, 2020 and 2018; the last of any tells such an archive.
local friends_files = { "connections/friends/your_friends%.json$",
  "friends_and_followers/friends%.json$", "friends/friends%.json$" }
local other_signs = { "profile_information/profile_information%.%a+$", "posts/album/%d+%.json$",
  "connections/friends/your_friends%.html$", "photos_and_videos/album/%d+%.json$" }

---@param files daub.collect.ExportFiles
---@return table|nil
function M.open(files)
  for _, list in ipairs { friends_files, other_signs } do
    for _, sign in ipairs(list) do
      for _, name in ipairs(files.names) do
        if name:find(sign) then
          return { friends = list == friends_files and name or nil }
        end
      end
    end
  end
end

-- Facebook writes each byte of UTF-8 as a character of its own.
local function mend(text)
  local bytes = text:gsub("[\194\195][\128-\191]", function(pair)
    local lead, trail = pair:byte(1, 2)
    return string.char((lead - 192) * 64 + trail - 128)
  end)
  return json.is_utf8(bytes) and bytes or text
end

local function friends_of(files, file)
  if not file then return {} end
  local answer, message, code = files:json(file)
  if not answer then return nil, message, code end
  local list = answer.friends_v2 or answer.friends or answer
  local names, times = {}, {}
  for _, entry in ipairs(type(list) == "table" and list or {}) do
    if type(entry) == "table" and type(entry.name) == "string" and #entry.name <= 400 then
      local name = mend(entry.name)
      times[name] = (times[name] or 0) + 1
      names[#names + 1] = { name = name, since = tonumber(entry.timestamp) or 0,
        handle = times[name] == 1 and name or ("%s (%d)"):format(name, times[name]) }
    end
  end
  return names
end

---@return daub.collect.ExportEntries|nil, string? message, string? code
function M.entries(files, found)
  local shown = {}
  for _, name in ipairs(files.names) do
    if pictures.is(name) and not ("/" .. name):find("/messages/", 1, true)
      and not name:find("stickers_used/", 1, true) then
      shown[#shown + 1] = name
    end
  end
  local friends, message, code = friends_of(files, found.friends)
  if not friends then return nil, message, code end
  return { count = #shown + #friends, entry = function(i)
    if i <= #shown then return pictures.person(files, shown[i]) end
    local friend = friends[i - #shown]
    return { key = ("facebook:%s:%.0f"):format(friend.name, friend.since), handle = friend.handle,
      name = friend.name }
  end }
end

return M
