return {
  name = "heads", kind = "inspect",
  doc = "What every attention head does: on a text, on repeated random tokens, on a needle in a haystack, and by its "
    .. "weights; and what role that makes it.",
  paper = "arXiv:2404.15574, arXiv:2209.11895",
  source = "transformer-circuits.pub/2021/framework",
  needs = "a text",
  cost = "a few passes over the text",
  params = {
    text = {type = "string", required = true, doc = "path of a UTF-8 file"},
    window = {0, type = "integer", min = 0, doc = "tokens of a window; 0: the context less one"},
    limit = {0, type = "integer", min = 0, doc = "windows to look at; 0: all"},
    top = {32, type = "integer", min = 1, doc = "keys that count as what a head looks at"},
    near = {32, type = "integer", min = 1, doc = "tokens that are local"},
    seed = {1, type = "integer", min = 0, doc = "of random tokens and baselines"},
  },
  -- layers, heads, kv_heads, rows; a grid for each statistic (head h of layer l at [l + 1][h + 1]); roles, the same of
  -- lists of words; priority: {layer, head} in the order of what retrieval would lose
  model = function(m, p)
    local a = wb.attention(m, {text = p.text, window = p.window, limit = p.limit, top = p.top, ["local"] = p.near,
      seed = p.seed})
    local all = a:figures()
    local out = {layers = all.layers, heads = all.heads, kv_heads = all.kv_heads, rows = all.rows, roles = a:roles(),
      priority = a:priority()}
    for name in pairs(all.stats) do out[name] = a:stat(name) end
    return out
  end,
}
