--- Somebody who logs in, for tests: answers what is asked in a given order and remembers the rest.
---
---     local ui = person.new { "alice.test", "kq3x-7mzr-tw2p-vb5n" }
---     person.log_in("bluesky", ui, { http = session })      -- ui.said, ui.opened, ui.prompts
local accounts = require "daub.accounts"
local secrets = require "daub.secrets"

local M = {}

local Person = {}
Person.__index = Person

--- answers: what is typed, in order. o.open: called with each address instead of a browser;
--- o.wait: called in place of waiting.
function M.new(answers, o)
  return setmetatable({ answers = answers or {}, at = 0, said = {}, prompts = {},
    secret_prompts = {}, on_open = o and o.open, on_wait = o and o.wait }, Person)
end

function Person:say(line) self.said[#self.said + 1] = line end

function Person:ask(prompt)
  self.prompts[#self.prompts + 1] = prompt
  self.at = self.at + 1
  local answer = self.answers[self.at]
  if type(answer) == "function" then answer = answer(self) end
  if not answer then return nil, "no answer came (standard input has ended)", "input" end
  return answer
end

function Person:secret(prompt)
  self.secret_prompts[#self.secret_prompts + 1] = prompt
  local answer, message, code = self:ask(prompt)
  secrets.add(answer)
  return answer, message, code
end

function Person:open(url)
  self.opened = url
  if self.on_open then self.on_open(url) end
end

function Person:wait(seconds)
  self.waited = (self.waited or 0) + seconds
  if self.on_wait then self.on_wait(self) end
  return true
end

--- Logs somebody in and keeps what that gave, as daub login does.
---@param network string
---@param ui table a person
---@param o table as the network's login takes it
function M.log_in(network, ui, o)
  local name, fields, code = require("daub.login." .. network).login(ui, o)
  if name then assert(accounts.save(network, name, fields)) end
  return name, fields, code
end

return M
