-- The library `wb`: what scripts and plugins see (README.md in this directory, for authors of plugins).
local change = require "wb.change"
local core = require "wb.core"
local infer = require "wb.infer"
local merge = require "wb.merge"
local ordered = require "wb.ordered"
local over = require "wb.over"
local pipeline = require "wb.pipeline"
local probe = require "wb.probe"
local registry = require "wb.registry"
local stack = require "wb.stack"
local tensor = require "wb.tensor"
require "wb.model"

local wb = {version = "0.1"}

wb.open, wb.knob = pipeline.open, pipeline.knob

function wb.merge(method, given) return merge.run(method, given) end

function wb.protect(method, model, given) return change.run("protect", method, model, given) end

function wb.compress(method, model, given) return change.run("compress", method, model, given) end

function wb.inspect(method, model, given) return change.inspect(method, model, given) end

function wb.stack(list) return stack.run(list) end

wb.compare, wb.stats = probe.compare, probe.stats
wb.eval, wb.states, wb.gram, wb.attention = infer.eval, infer.states, infer.gram, infer.attention

wb.over = over.over
wb.sum, wb.mean, wb.combine, wb.eye = tensor.sum, tensor.mean, tensor.combine, tensor.eye

-- Constructors and primitives that the C side gives as they are.
for _, name in ipairs{
  "scalar", "array", "fill", "cat", "pack", "assignment", "uniform", "normal", "bernoulli",
  "json", "parse_json", "array_of", "null", "read_text", "glob", "type", "hmac", "sha256",
  "master_key", "key_id", "key_bytes", "key_uniforms", "key_normals", "key_permutation", "key_orthogonal",
  "inverse_permutation",
} do
  wb[name] = core[name]
end

wb.keys = ordered.keys

function wb.log(fmt, ...)
  if select("#", ...) == 0 then return core.log(tostring(fmt)) end
  core.log(string.format(fmt, ...))
end

registry.library, pipeline.library = wb, wb

return wb
