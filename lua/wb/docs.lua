-- One line about every public name: what completion, the console and the help show. A test holds that none is missing.
local M = {}

-- Each entry is "signature -- what it gives".
local function read(text)
  local docs = {}
  for line in text:gmatch("[^\n]+") do
    local signature, doc = line:match("^%s*(.-)%s+%-%-%s+(.*)$")
    if signature then
      local name = signature:match("^[%w_]+")
      docs[name] = {name = name, signature = signature, doc = doc}
    end
  end
  return docs
end

M.wb = read [==[
open(path[, {lora =, scale =}]) -- a model: a directory, a file, a name in the hub cache, or any of these +ADAPTER
knob(name, default[, {min =, max =, step =, choices =, doc =, secret =}]) -- the knob's value: a number, boolean or string that can be turned
merge(method, {base =, models = {}, …}) -- a model merged from several
protect(method, model[, {…}]) -- a model locked, marked or permuted
compress(method, model[, {…}]) -- a smaller model
inspect(probe, model[, {…}]) -- a report: plain tables of numbers
stack{ {model =, layers = {first, last}}, … } -- a model of these layers, renumbered; last is exclusive, counted from 0
compare(a, b[, {base =, match =, sample =}]) -- how far b is from a, per tensor and layer: what `diff --json` prints
stats(model[, {match =, sample =}]) -- figures of each tensor: what `tensors --stats --json` prints
eval(model, {text = | tasks = | images =[, window =, limit =]}) -- how good a model is: what `eval --json` prints
states(model, {text =[, window =, limit =, rows =, stack =]}) -- the residual stream: s[i], s:matrix(metric), s:influence()
gram(model, name, {text =[, window =, limit =, stack =]}) -- sum of x x^T of what that linear layer reads, and how many x
attention(model, {text =[, window =, limit =, …]}) -- heads: a:stat(name), a:roles(), a:pattern(layer, head, text)
over(models or tensors[, …], fn) -- fn sees them as one: reductions combine over all, in the order of names
sum(list) -- the sum of tensors
mean(list) -- the mean of tensors
combine(tensors, coefficients[, {affine = true}]) -- x1 S + sum of c (x - x1): equal inputs give exactly x1
scalar(x) -- a 0-d tensor
array{…} -- a small tensor of these numbers
fill({dims}, x) -- a tensor of one value
eye(n) -- the identity matrix
cat(list, axis) -- tensors put together along axis 0 or 1
pack(list, {dims}) -- 0-d tensors put into one array
assignment(cost) -- for every row the column that makes the total smallest
uniform(like, seed[, model[, name]]) -- random numbers in [0, 1), a function of seed, name and index
normal(like, seed[, model[, name]]) -- random numbers of the normal distribution
bernoulli(like, p, seed[, model[, name]]) -- 1 with probability p, else 0
json(value[, indented]) -- a value as JSON text
parse_json(text) -- JSON text as a value
array_of{…} -- a table that JSON writes as a list, also when it is empty
null -- JSON's null
read_text(path) -- a file's text; below the working directory, the data directories and the models opened
glob(pattern, name) -- does the name match?
keys(t) -- the keys of a table in a fixed order
type(x) -- "tensor", "model", or Lua's type
log(fmt, …) -- a line in the log
hmac(key, message) -- HMAC-SHA256, 32 bytes
sha256(bytes) -- SHA-256 in hexadecimal digits
master_key(text) -- 32 bytes from a key's text
key_id(master) -- what a key may be called in public
key_bytes(master, label, n) -- n bytes that follow from a key
key_uniforms(master, label, n) -- n numbers in [0, 1) that follow from a key
key_normals(master, label, n) -- n normal numbers that follow from a key
key_permutation(master, label, n) -- a permutation that follows from a key, counted from 0
key_orthogonal(master, label, n) -- an orthogonal matrix that follows from a key
inverse_permutation(p) -- the permutation that undoes p
version -- of the library
]==]

-- Fields and methods of models; methods are called with a colon.
M.model = read [==[
family -- "llama", …; "unknown"
layers -- how many
parameters -- entries of all floating tensors
config -- a copy of config.json
has_config -- is there a config.json?
path -- where it came from
dims -- layers, hidden, heads, kv_heads, head_dim, intermediate, vocab, experts, context, tied_embeddings
names([glob]) -- names of tensors, in byte order
tensor(name) -- a lazy tensor
has(name) -- is there such a tensor?
role(name) -- role and layer of a tensor
info(name) -- everything about a tensor but its values
layer(i[, stack]) -- role -> tensor
layer_names(i[, stack]) -- role -> name
with{name = tensor or false} -- a model with these replaced, added or removed
only{name = tensor} -- a model of exactly these tensors
map(fn[, {match =, roles =, layers =}]) -- fn(tensor, {name, role, layer}) for each; nil keeps it
keep_layers{0, 1, 3} -- these layers in this order, renumbered
configure{key = value} -- a model with keys of config.json changed
stem(word) -- how the files of weights are called
file(name, text) -- one more file beside the weights
]==]

M.tensor = read [==[
abs() -- |x|
sign() -- -1, 0 or 1
sqrt() -- the square root
neg() -- -x
exp() -- e to the x
log() -- the natural logarithm
sin() -- the sine
cos() -- the cosine
acos() -- the arc cosine
tanh() -- the hyperbolic tangent
floor() -- the next whole number below
recip() -- 1 / x
is_finite() -- 1 where x is finite, else 0
is_nan() -- 1 where x is NaN, else 0
pow(p) -- x to the p
gt(u) -- 1 where x > u, else 0
lt(u) -- 1 where x < u, else 0
ge(u) -- 1 where x >= u, else 0
le(u) -- 1 where x <= u, else 0
eq(u) -- 1 where x == u, else 0
ne(u) -- 1 where x ~= u, else 0
where(a, b) -- a where x is not 0, else b
lerp(u, w) -- x + w (u - x), exact at both ends
fma(s, c) -- x s + c, rounded once
clamp(low, high) -- cut to a range
nan_to(x) -- NaN replaced
cast(dtype) -- every entry rounded to a dtype
as(dtype) -- the same values, written as another dtype
guard(model, name) -- fails with these names where an entry is not finite
per_row(v) -- v, one value a row, spread over the shape
per_column(v) -- v, one value a column, spread over the shape
zeros() -- 0 in the same shape
ones() -- 1 in the same shape
fill(x) -- x in the same shape
shape() -- a list of dimensions
dtype() -- what it is written as
name() -- of the tensor it was read from; nil when computed
count_all() -- how many entries
sum([axis]) -- the sum; axis: "row", "column" or "all"
mean([axis]) -- the mean
min([u or axis]) -- the smallest entry, or entry by entry the smaller one
max([u or axis]) -- the largest entry, or entry by entry the larger one
min_with(u) -- entry by entry the smaller one
max_with(u) -- entry by entry the larger one
absmax([axis]) -- the largest magnitude
norm([p][, axis]) -- the p-norm, p = 2 unless given
dot(u[, axis]) -- the scalar product
cosine(u[, axis]) -- in [-1, 1]; 0 where a norm is 0
count([axis]) -- how many entries are not 0
quantile(q[, axis]) -- between order statistics, linearly
kth_largest(k[, axis]) -- k from 1, signed
kth_magnitude(k[, axis]) -- the k-th largest magnitude
top(density[, axis[, label]]) -- mask of that share of entries, largest magnitudes first
top_k(k[, axis[, label]]) -- mask of the k largest magnitudes
top_value(density[, axis[, label]]) -- mask of that share of entries, largest values first
top_value_k(k[, axis[, label]]) -- mask of the k largest values
rows(a, b) -- rows a to b, from 0, b exclusive
columns(a, b) -- columns a to b, from 0, b exclusive
gather_rows(idx) -- rows by number, from 0
gather_columns(idx) -- columns by number, from 0
reshape{dims} -- the same entries in another shape
t() -- the transpose
hold() -- kept whole in memory while it is needed
matmul(u) -- the matrix product
svd([rank]) -- u, s, vt
qr() -- q, r
eigh() -- eigenvalues and eigenvectors of a symmetric matrix
inverse() -- of a square matrix
solve(b) -- x of A x = b
least_squares(b[, ridge]) -- x of the smallest |A x - b|
item(i) -- entry i, from 0, of a small tensor
value() -- its numbers, evaluated now; small tensors only
]==]

-- A table of docs as a list in the order of names; methods without an entry are there too.
function M.list(docs, names)
  local list, core = {}, require "wb.core"
  for _, name in ipairs(names) do
    list[#list + 1] = docs[name] or {name = name, signature = name, doc = ""}
  end
  return core.array_of(list)
end

return M
