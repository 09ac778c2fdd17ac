---@meta daub.core.line
-- C module: line editing and protected calls for the REPL.
local M = {}

---Reads lines with editing, history and completion (Tab). `complete` gets the text before the cursor
---and returns what to insert there and, or nil, a text to show below the line.
---From here on Ctrl-C no longer ends the process.
---@param history string? path of the history file
---@param complete (fun(before: string): string?, string?)?
---@return daub.core.Editor
function M.editor(history, complete) end

---pcall(f), ended by Ctrl-C even where the caller holds interrupts; what f leaves pending or held is
---undone.
---@param f fun(): ...
---@param traceback boolean? messages get the way to the error
---@return boolean ok, any ... results, or the error
function M.run(f, traceback) end

---@class daub.core.Editor
local Editor = {}
---@param prompt string
---@return string|false|nil line nil at the end of input, false after Ctrl-C
function Editor:read(prompt) end
---Adds a line to the history and saves the file.
---@param line string
function Editor:remember(line) end
---Gives the terminal back as it was.
function Editor:close() end

return M
