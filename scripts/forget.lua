-- Removes a person from a collection for good: the pictures go, and are never taken in again.
--
--   daub forget covers alice.bsky.social
--   daub forget covers mastodon:alice@mastodon.example
local cli = require "daub.cli"
local collection = require "daub.collect.collection"
local forget = require "daub.collect.forget"
local progress = require "daub.progress"
local system = require "daub.core.system"

local o = cli.parse(arg, {
  name = "forget",
  summary = "collection -> collection without a person: removes their pictures, keeps them out",
  usage = "COLLECTION HANDLE",
  positional = { { "collection", help = "folder of a collection" },
    { "handle", help = "HANDLE or NETWORK:HANDLE (this also of somebody who is not there yet)" } },
  notes = "A picture that somebody else shows, too, stays theirs. Packed datasets and the sheet go,"
    .. "\ntoo, and are made again when needed; runs trained before have learned from the pictures.",
})
local report = cli.reporter(o)

if not system.stat(o.collection .. "/collection.db") then
  cli.fail(o.collection .. ": no collection here (make one with daub collect)")
end
system.hold_interrupts(true)
local covers, message = collection.open(o.collection, { create = true })
if not covers then cli.fail(message) end
local gone, why = forget.person(covers, o.handle)
covers:close()
if not gone then cli.fail(why) end
system.hold_interrupts(false)

report:say(gone.people == 0 and o.handle .. ": was not there, and stays out" or
  ("%s: forgotten, %s removed"):format(table.concat(gone.names, ", "),
    progress.count(gone.pictures, "picture")))
report:event({ event = "done", people = gone.people, pictures = gone.pictures })
