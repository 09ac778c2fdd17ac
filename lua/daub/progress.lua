-- One line of progress for people, JSON lines for programs, and the words for durations and sizes.
--
--     local report = require("daub.cli").reporter(o)
--     report:progress("120 pictures, 3 min left", 0.4)   -- redrawn in place on a terminal
--     report:note("example.org asks us to wait 12 s")  -- a line that stays, on stderr
--     report:say("covers/sheet.png")                     -- a result, on standard output
--     report:event{event = "picture"}                    -- a JSON line on standard output, --json
--     report:done()
--
-- Without a terminal the line comes at most once a minute, the first and the last always.

local secrets = require "daub.secrets"
local system = require "daub.core.system"

local M = {}

local REDRAW = 0.1 -- seconds between two drawings on a terminal
local REPEAT = 60  -- seconds between two lines where there is none
local BAR = 20     -- cells

-- Words -------------------------------------------------------------------------------------------

---"12 s", "3 min 20 s", "1 h 05 min", "2 d 3 h"
---@param seconds number
---@return string
function M.duration(seconds)
  if not (seconds >= 0 and seconds < 1e9) then return "?" end
  if seconds < 10 then return ("%.1f s"):format(seconds) end
  local s = math.floor(seconds + 0.5)
  if s < 60 then return ("%d s"):format(s) end
  if s < 3600 then return ("%d min %02d s"):format(math.floor(s / 60), s % 60) end
  local minutes = math.floor(s / 60 + 0.5)
  if minutes < 1440 then return ("%d h %02d min"):format(math.floor(minutes / 60), minutes % 60) end
  return ("%d d %d h"):format(math.floor(minutes / 1440), math.floor(minutes % 1440 / 60))
end

---"512 B", "3.4 MiB"
---@param n number
---@return string
function M.bytes(n)
  local units = { "B", "KiB", "MiB", "GiB", "TiB" }
  local u = 1
  while n >= 1024 and u < #units do
    n, u = n / 1024, u + 1
  end
  return ((u == 1 or n >= 100) and "%.0f %s" or "%.1f %s"):format(n, units[u])
end

---"1 picture", "12 pictures"
---@param n integer
---@param one string
---@param many string? one .. "s" unless given
---@return string
function M.count(n, one, many)
  return ("%d %s"):format(n, n == 1 and one or many or one .. "s")
end

---Seconds that the rest will take when it goes on as so far; nil when nothing is known yet.
---@param done number
---@param total number
---@param elapsed number seconds
---@return number?
function M.remaining(done, total, elapsed)
  if done <= 0 or total < done then return nil end
  return elapsed / done * (total - done)
end

-- Columns -----------------------------------------------------------------------------------------

-- Two-column characters: Hangul, CJK, kana, full-width forms, emoji.
local function is_wide(code)
  return code >= 0x1100 and code <= 0x115f or code >= 0x2e80 and code <= 0xa4cf
    or code >= 0xac00 and code <= 0xd7a3 or code >= 0xf900 and code <= 0xfaff
    or code >= 0xfe30 and code <= 0xfe6f or code >= 0xff00 and code <= 0xff60
    or code >= 0x1f300 and code <= 0x1faff or code >= 0x20000 and code <= 0x3fffd
end

local function columns_of(character)
  local a, b, c, d = character:byte(1, 4)
  if #character < 3 then return (a == 0xcc or a == 0xcd) and 0 or 1 end
  local code = #character == 3 and (a % 16 * 64 + b % 64) * 64 + c % 64
    or ((a % 8 * 64 + b % 64) * 64 + c % 64) * 64 + (d or 0) % 64
  if code >= 0x200b and code <= 0x200f or code == 0xfe0f then return 0 end
  return is_wide(code) and 2 or 1
end

local CHARACTER = "[%z\1-\127\192-\255][\128-\191]*"

---Columns a UTF-8 string takes on a terminal.
---@param text string
---@return integer
function M.width(text)
  if not text:find("[\128-\255]") then return #text end
  local n = 0
  for character in text:gmatch(CHARACTER) do n = n + columns_of(character) end
  return n
end

---Cuts a UTF-8 string to so many columns; a cut one ends with "…".
---@param text string
---@param columns integer
---@return string
function M.fit(text, columns)
  if M.width(text) <= columns then return text end
  local kept, n = {}, 0
  for character in text:gmatch(CHARACTER) do
    n = n + columns_of(character)
    if n > columns - 1 then break end
    kept[#kept + 1] = character
  end
  return table.concat(kept) .. "…"
end

---Breaks words into lines of `width` columns; those after the first are indented.
---@param text string
---@param width integer
---@param indent integer
---@return string
function M.wrap(text, width, indent)
  local lines, line = {}, ""
  for word in text:gmatch("%S+") do
    if #line > 0 and M.width(line) + 1 + M.width(word) > width then
      lines[#lines + 1] = line
      line = word
    else
      line = #line > 0 and line .. " " .. word or word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n" .. (" "):rep(indent))
end

---What strangers sent, made safe to print: control characters become spaces.
---@param text string
---@return string
function M.plain(text)
  return (text:gsub("[%z\1-\31\127]", " "):gsub("\194[\128-\159]", " "))
end

-- The reporter ------------------------------------------------------------------------------------

---@class daub.progress.Reporter
---@field json boolean
---@field quiet boolean
local Reporter = {}
Reporter.__index = Reporter

local current -- the reporter whose line stands on the terminal

---@param o {json: boolean?, quiet: boolean?}
---@return daub.progress.Reporter
function M.reporter(o)
  return setmetatable({ json = o.json or false, quiet = o.quiet or false,
    terminal = system.isatty(2), drawn = -math.huge }, Reporter)
end

local function with_bar(line, fraction, columns)
  if not fraction then return line end
  fraction = math.max(0, math.min(1, fraction))
  local percent = ("%3d %%  "):format(math.floor(fraction * 100))
  if columns < 70 then return percent .. line end
  local full = math.floor(fraction * BAR + 0.5)
  return ("[%s%s] %s%s"):format(("#"):rep(full), ("."):rep(BAR - full), percent, line)
end

local function draw(self)
  local columns = (system.terminal_size() or 80) - 1
  io.stderr:write("\r", M.fit(with_bar(self.line, self.fraction, columns), columns), "\27[K")
  self.drawn, self.shown = system.now(), self.line
  current = self
end

local function clear(self)
  if current == self then io.stderr:write("\r\27[K") end
end

---Tells how far the work is.
---@param line string
---@param fraction number? 0 … 1
function Reporter:progress(line, fraction)
  if self.quiet then return end
  self.line, self.fraction = M.plain(secrets.redact(line)), fraction
  local now = system.now()
  if self.terminal then
    if now - self.drawn >= REDRAW then draw(self) end
  elseif now - self.drawn >= REPEAT then
    self.drawn, self.shown = now, self.line
    io.stderr:write(self.line, "\n")
  end
end

---A line that stays, on standard error.
---@param line string
function Reporter:note(line)
  if self.quiet then return end
  clear(self)
  io.stderr:write(M.plain(secrets.redact(line)), "\n")
  if current == self then draw(self) end
end

---A result for people on standard output; nothing with --json.
---@param line string
function Reporter:say(line)
  if self.json then return end
  clear(self)
  io.stdout:write(secrets.redact(line), "\n")
  io.stdout:flush()
  if current == self then draw(self) end
end

---A JSON line on standard output with --json; nothing without.
---@param values table
function Reporter:event(values)
  if not self.json then return end
  local text, message = require("daub.json").encode(values)
  if not text then error("event: " .. message, 2) end
  clear(self)
  io.stdout:write(secrets.redact(text), "\n")
  io.stdout:flush()
  if current == self then draw(self) end
end

---The last word: shows the newest line and leaves it there.
function Reporter:done()
  if self.quiet or not self.line then return end
  if self.terminal then
    draw(self)
    io.stderr:write("\n")
    current = nil
  elseif self.shown ~= self.line then
    io.stderr:write(self.line, "\n")
  end
  self.line, self.shown = nil, nil
end

---Ends the line that stands on the terminal, if one does: before an error is printed.
function M.finish()
  if current then current:done() end
end

return M
