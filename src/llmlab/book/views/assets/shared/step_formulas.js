// Time and memory of one training step: the formulas of llmlab.cluster.physics, where each has its
// source. A test holds the two to each other.

const stepFormulas = (() => {
  const BYTES = 2; // of an activation
  const FLASH_BACKWARD = 2.5; // FLOPs of fused attention backward over forward
  const HIGHEST_POWER = { hopper: 700 }; // watts
  const [LINK_LATENCY, NETWORK_LATENCY] = [3e-6, 1e-5]; // seconds of a hop
  const UPDATE_BYTES = 28; // of a parameter: what Adam reads and writes
  const [GRADIENT_BYTES, STATE_BYTES] = [4, 12]; // of a parameter
  const OUTER_BYTES = 10; // of a token and d_model value
  const PYTORCH = ["eager", "compiled"]; // software with PyTorch's own loss
  const OUTER_PASSES = 5; // over d_model values around attention or a feed-forward layer
  const NODE = 8; // accelerators that slow down together
  const [LOGIT_BYTES, FUSED_LOGIT_BYTES] = [14, 6];
  const WORKSPACE = 3e9; // bytes
  const SHARDINGS = ["none", "optimizer", "gradients", "parameters"];

  const total = (parts) => Object.values(parts).reduce((sum, part) => sum + part, 0);
  const dpOf = (plan) => Math.floor(plan.gpus / (plan.tp * plan.pp * plan.cp));
  const passesOf = (plan) => Math.max(plan.global_batch / (dpOf(plan) * plan.micro_batch), 1);
  const tokensOf = (plan) => (plan.micro_batch * plan.seq_len) / plan.cp;
  const isFlash = (plan) => plan.software !== "plain";
  const peak = (gpu, bits) => gpu[`tensor_${bits}bit`];

  // tokens that a query attends to, on average
  function attended({ window }, length) {
    const whole = (length + 1) / 2;
    if (!window || window >= length) return whole;
    return (whole + window - (window * (window - 1)) / (2 * length)) / 2;
  }

  function flopsPerToken(model, length) {
    const attention = 2 * model.layers * model.heads * (model.head_dim + model.value_dim);
    return 6 * model.matmul_weights + 3 * attention * attended(model, length);
  }

  // kernels

  function ratesOf(plan, c) {
    const { gpu, software } = plan;
    const share = (bits) => c[`gemm${bits}_${gpu.family}`] ?? c[`gemm${bits}_other`];
    const capped = Math.min(gpu.power / (HIGHEST_POWER[gpu.family] ?? gpu.power), 1) ** c.power;
    const bits = peak(gpu, plan.bits) > peak(gpu, 16) ? plan.bits : 16;
    const wide = peak(gpu, 16) * share(16) * capped;
    const flash = c[`flash_${software}_${gpu.family}`] ?? c[`flash_${software}`] ?? c.flash_fused;
    return {
      layer: peak(gpu, bits) * share(bits) * capped,
      head: wide,
      attention: isFlash(plan) ? peak(gpu, 16) * flash : wide,
      memory: c.memory * gpu.memory_bandwidth,
    };
  }

  const product = (m, k, n, rate, memory) => (2 * m * k * n) / rate + (BYTES * (m * k + k * n + m * n)) / memory;

  function elementwise(plan, tokens, inner, rates, c) {
    const { d_model } = plan.model;
    const split = plan.sequence_parallel ? plan.tp : 1;
    let values = c[`elementwise_${plan.software}`] * ((OUTER_PASSES * d_model) / split + inner);
    if (plan.bits < 16) values += (c[`quantise_${plan.software}`] ?? c.quantise_compiled) * (2 * d_model + inner);
    return (BYTES * tokens * values) / rates.memory;
  }

  function attentionCore(plan, tokens, width, rates, c) {
    const { model, seq_len } = plan;
    if (isFlash(plan)) return (2 * tokens * width * attended(model, seq_len)) / rates.attention;
    const scores = (tokens * seq_len * model.heads) / plan.tp;
    return (2 * tokens * width * seq_len) / rates.attention + (c.softmax * BYTES * scores) / rates.memory;
  }

  function attentionLayer(plan, rates, c) {
    const { model, tp } = plan;
    const tokens = tokensOf(plan);
    const queries = (model.heads * model.head_dim) / tp;
    const values = (model.heads * model.value_dim) / tp;
    const inner = (model.attention_weights / tp - model.d_model * values) / model.d_model;
    const products = product(tokens, model.d_model, inner, rates.layer, rates.memory) + product(tokens, values, model.d_model, rates.layer, rates.memory);
    return {
      matmul: products,
      attention: attentionCore(plan, tokens, queries + values, rates, c),
      elementwise: elementwise(plan, tokens, 2 * inner + values, rates, c),
    };
  }

  function feedForward({ model }, tokens, width, rate, memory) {
    const columns = width * (model.feed_forward_matrices - 1);
    return product(tokens, model.d_model, columns, rate, memory) + product(tokens, width, model.d_model, rate, memory);
  }

  function denseLayer(plan, rates, c) {
    const { model } = plan;
    const [tokens, width] = [tokensOf(plan), model.d_ff / plan.tp];
    return {
      matmul: feedForward(plan, tokens, width, rates.layer, rates.memory),
      attention: 0,
      elementwise: elementwise(plan, tokens, width * model.feed_forward_matrices, rates, c),
    };
  }

  function expertLayer(plan, rates, c) {
    const { model } = plan;
    const [tokens, width, here] = [tokensOf(plan) / plan.tp, model.expert_d_ff, model.experts / plan.ep];
    const routed = tokens * model.experts_per_token;
    const matmul = here * feedForward(plan, routed / here, width, rates.layer * c.grouped, rates.memory)
      + model.shared_experts * feedForward(plan, tokens, width, rates.layer, rates.memory)
      + product(tokens, model.d_model, model.experts, rates.head, rates.memory);
    const visits = model.experts_per_token + model.shared_experts;
    const inner = visits * width * model.feed_forward_matrices + 4 * visits * model.d_model;
    return { matmul, attention: 0, elementwise: elementwise(plan, tokens, inner, rates, c) };
  }

  function head(plan, rates) {
    const [tokens, vocab] = [tokensOf(plan), plan.model.vocab / plan.tp];
    return product(tokens, plan.model.d_model, vocab, rates.head, rates.memory) + (12 * tokens * vocab) / rates.memory;
  }

  // collectives: a group has a size and the stride from one of its ranks to the next

  const inside = ({ size, stride }, gpu) => size * stride <= gpu.domain;
  const network = (gpu, c) => (c[`network_${gpu.family}`] ?? c.network_other) * gpu.network;
  const latency = (group, gpu) => (inside(group, gpu) ? LINK_LATENCY : NETWORK_LATENCY) * Math.log2(group.size);

  function bandwidth(group, gpu, c) {
    if (inside(group, gpu)) return c.link * gpu.link;
    const members = Math.max(Math.floor(gpu.domain / group.stride), 1);
    return Math.min(network(gpu, c) * members, c.link * gpu.link);
  }

  function allGather(size, group, gpu, c) {
    if (group.size === 1) return 0;
    return (((group.size - 1) / group.size) * size) / bandwidth(group, gpu, c) + latency(group, gpu);
  }

  // tokens go once to each rank of their own domain that needs them, and once to each other domain
  function dispatch(size, experts, group, gpu, c) {
    if (group.size === 1) return 0;
    const near = Math.min(Math.max(Math.floor(gpu.domain / group.stride), 1), group.size);
    const visited = (share) => 1 - (1 - share) ** experts;
    const times = ((near - 1) * visited(1 / group.size)) / (c.link * gpu.link) + ((group.size / near - 1) * visited(near / group.size)) / network(gpu, c);
    return size * times + latency(group, gpu);
  }

  function send(size, stride, gpu, c) {
    const near = 2 * stride <= gpu.domain;
    return size / (near ? c.link * gpu.link : network(gpu, c)) + (near ? LINK_LATENCY : NETWORK_LATENCY);
  }

  const exposed = (communication, compute, c) => (communication ? communication ** 2 / (communication + compute / c.contention) : 0);

  // one micro-batch through one pipeline stage

  function stageTime(plan, c) {
    const { model, pp } = plan;
    const rates = ratesOf(plan, c);
    const layers = [[model.layers, attentionLayer(plan, rates, c)], [model.layers - model.moe_layers, denseLayer(plan, rates, c)]];
    if (model.moe_layers) layers.push([model.moe_layers, expertLayer(plan, rates, c)]);
    const forward = (kind) => layers.reduce((sum, [count, layer]) => sum + count * layer[kind], 0) / pp;
    const pass = { matmul: forward("matmul"), attention: forward("attention"), elementwise: forward("elementwise") };
    const core = (1 + (isFlash(plan) ? FLASH_BACKWARD : 2)) * pass.attention;
    const matmul = (plan.adapters ? 2 : 3) * pass.matmul + headOf(plan, c);
    const stage = {
      matmul,
      attention: core,
      elementwise: 3 * pass.elementwise,
      recompute: recomputed(plan, pass),
      tensor: tensor(plan, matmul, c),
      expert: expert(plan, matmul, c),
    };
    const busy = total(stage);
    const host = ((["operations", "full"].includes(plan.recompute) ? 4 : 3) * c.launch * model.layers) / pp;
    return { ...stage, launch: host ** 4 / (host ** 3 + busy ** 3), context: context(plan, core, c) };
  }

  // the last stage alone has the head, unless uneven layers compensate
  const relieved = (plan) => plan.model.layers % plan.pp !== 0;
  const headOf = (plan, c) => ((plan.adapters ? 2 : 3) * head(plan, ratesOf(plan, c))) / (relieved(plan) ? plan.pp : 1);

  function recomputed(plan, forward) {
    const last = plan.early_stop ? plan.model.last_share : 0;
    return {
      none: 0,
      selective: isFlash(plan) ? 0 : forward.attention,
      operations: plan.model.every_second_share * forward.matmul + forward.elementwise,
      full: total(forward) - last * forward.matmul,
    }[plan.recompute];
  }

  function tensor(plan, matmul, c) {
    const size = BYTES * tokensOf(plan) * plan.model.d_model;
    const times = { operations: 5, full: 6 }[plan.recompute] ?? 4;
    const time = times * (plan.model.layers / plan.pp) * 2 * allGather(size, { size: plan.tp, stride: 1 }, plan.gpu, c);
    return plan.async_tensor ? exposed(time, matmul, c) : time;
  }

  function context(plan, attention, c) {
    const { model } = plan;
    if (plan.cp === 1) return 0;
    const width = (model.kv_heads * (model.head_dim + model.value_dim)) / plan.tp;
    const size = 3 * BYTES * tokensOf(plan) * width * plan.cp;
    return exposed((model.layers / plan.pp) * allGather(size, { size: plan.cp, stride: plan.tp }, plan.gpu, c), attention, c);
  }

  function expert(plan, matmul, c) {
    const { model } = plan;
    if (plan.ep === 1 || !model.experts) return 0;
    const size = (BYTES * tokensOf(plan) * model.d_model) / plan.tp;
    const once = dispatch(size, model.experts_per_token, { size: plan.ep, stride: 1 }, plan.gpu, c);
    const time = (((plan.recompute === "full" ? 6 : 4) * model.moe_layers) / plan.pp) * once;
    return plan.interleave > 1 ? exposed(time, matmul, c) : time;
  }

  // the whole step

  function parametersPerRank({ model, tp, pp, ep }) {
    const experts = model.moe_layers * model.experts * model.expert_weights;
    return ((model.parameters - experts) / tp + experts / Math.max(ep, tp)) / pp;
  }

  function pipeline(plan, busy, c) {
    if (plan.pp === 1) return 0;
    const size = (BYTES * tokensOf(plan) * plan.model.d_model) / plan.tp;
    const time = 2 * plan.interleave * send(size, plan.tp * plan.cp * dpOf(plan), plan.gpu, c);
    return isFlash(plan) ? exposed(time, busy, c) : time;
  }

  function data(plan, busy, c) {
    const group = { size: dpOf(plan) * plan.cp, stride: plan.tp };
    if (group.size === 1) return 0;
    const gather = (bytes) => allGather(bytes * parametersPerRank(plan), group, plan.gpu, c);
    if (plan.sharding === "parameters") return passesOf(plan) * exposed((plan.adapters ? 2 : 3) * gather(BYTES), busy, c);
    if (plan.adapters) return 0;
    const time = plan.sharding === "none" ? 2 * gather(BYTES) : gather(GRADIENT_BYTES + BYTES);
    return isFlash(plan) ? exposed(time, busy, c) : time;
  }

  function update(plan, c) {
    if (plan.adapters) return 0;
    const shared = plan.sharding === "none" ? 1 : dpOf(plan) * plan.cp;
    return (c.optimizer * UPDATE_BYTES * parametersPerRank(plan)) / shared / (c.memory * plan.gpu.memory_bandwidth);
  }

  // seconds of a step, by part
  function stepTime(plan, c) {
    const stage = stageTime(plan, c);
    const busy = total(stage);
    const passes = passesOf(plan);
    const parts = Object.fromEntries(Object.entries(stage).map(([name, seconds]) => [name, passes * seconds]));
    parts.pipeline = passes * pipeline(plan, busy, c);
    parts.data = data(plan, busy, c);
    parts.bubble = ((plan.pp - 1) / plan.interleave) * (busy - (relieved(plan) ? 0 : headOf(plan, c)));
    parts.optimizer = update(plan, c);
    const slowest = c.jitter * Math.sqrt(2 * Math.log(Math.max(plan.gpus / NODE, 1)));
    return { ...parts, waiting: slowest * total(parts) };
  }

  // bytes of sharded parameters that are whole at a time, so many of each
  function gathered(plan, bytes) {
    if (plan.sharding !== "parameters") return 0;
    const layers = plan.model.layers / plan.pp;
    return (bytes * parametersPerRank(plan) * (plan.pp > 1 ? layers : Math.min(2, layers))) / layers;
  }

  // bytes on the fullest accelerator, by part
  function memoryUse(plan) {
    const [here, replicas, stage] = [parametersPerRank(plan), dpOf(plan) * plan.cp, SHARDINGS.indexOf(plan.sharding)];
    const trained = plan.adapters ? 0 : here;
    const among = (from) => (stage >= from ? replicas : 1);
    return {
      weights: (BYTES * here) / among(3) + gathered(plan, BYTES),
      gradients: (GRADIENT_BYTES * trained) / among(2) + (plan.pp > 1 && !plan.adapters ? gathered(plan, GRADIENT_BYTES) : 0),
      optimizer: (STATE_BYTES * trained) / among(1),
      activations: activations(plan),
      logits: (PYTORCH.includes(plan.software) ? LOGIT_BYTES : FUSED_LOGIT_BYTES) * tokensOf(plan) * (plan.model.vocab / plan.tp),
      workspace: WORKSPACE,
    };
  }

  function activations(plan) {
    const { pp, interleave, model } = plan;
    let flight = Math.min(pp, passesOf(plan));
    if (interleave > 1) flight *= 1 + (pp - 1) / (pp * interleave);
    const layers = model.layers / pp;
    if (plan.recompute !== "full") return flight * layers * layerActivations(plan);
    const kept = (BYTES * tokensOf(plan) * model.d_model) / (plan.sequence_parallel ? plan.tp : 1);
    return flight * layers * kept + layerActivations(plan);
  }

  function feedForwardWidth({ model }) {
    const matrices = model.feed_forward_matrices;
    if (!model.experts) return matrices * model.d_ff;
    return (model.experts_per_token + model.shared_experts) * (matrices * model.expert_d_ff + 2 * model.d_model);
  }

  // values of a token inside a layer: attention's output, and that of every second product
  function keptByOperation(plan) {
    const { model } = plan;
    const qkv = model.heads * model.head_dim + model.kv_heads * (model.head_dim + model.value_dim);
    const up = feedForwardWidth(plan) * (1 - 1 / model.feed_forward_matrices);
    return model.heads * model.value_dim + (qkv + up + 2 * model.d_model) / 2;
  }

  function layerActivations(plan) {
    const { model, tp } = plan;
    const outer = model.d_model / (plan.sequence_parallel ? tp : 1);
    if (plan.recompute === "operations") return tokensOf(plan) * BYTES * (outer + keptByOperation(plan) / tp);
    const inner = BYTES * ((model.heads + model.kv_heads) * (model.head_dim + model.value_dim) + feedForwardWidth(plan));
    const scores = !isFlash(plan) && plan.recompute === "none" ? 5 * model.heads * plan.seq_len : 0;
    return tokensOf(plan) * (OUTER_BYTES * outer + (inner + scores) / tp);
  }

  // a sentence on why a plan cannot be laid out, or null
  function mistake(plan) {
    const { model, gpus, tp, pp, cp, ep } = plan;
    if (gpus % (tp * pp * cp)) return `tp × pp × cp = ${tp * pp * cp} does not divide ${gpus} GPUs.`;
    const replica = dpOf(plan) * plan.micro_batch;
    const rules = [
      [model.heads % tp, `tp = ${tp} does not divide the ${model.heads} heads of ${model.name}.`],
      [pp * plan.interleave > model.layers, `${pp} stages of ${plan.interleave} need more layers than the ${model.layers} of ${model.name}.`],
      [plan.global_batch % replica, `A batch of ${plan.global_batch} does not divide into ${dpOf(plan)} replicas with micro-batches of ${plan.micro_batch}.`],
      [plan.seq_len % cp, `cp = ${cp} does not divide ${plan.seq_len} tokens.`],
      [ep > 1 && !model.experts, `${model.name} has no experts: take ep = 1.`],
      [model.experts && (model.experts % ep || (gpus / pp) % ep), `ep = ${ep} does not divide the ${model.experts} experts of ${model.name}, or the ${gpus / pp} GPUs of a stage.`],
    ];
    return rules.find(([broken]) => broken)?.[1] ?? null;
  }

  function predict(plan, c) {
    const [parts, memory] = [stepTime(plan, c), memoryUse(plan)];
    const seconds = total(parts);
    const tokens = (plan.global_batch * plan.seq_len) / seconds / plan.gpus;
    const spared = plan.adapters ? 2 * plan.model.matmul_weights : 0;
    const mfu = (tokens * (flopsPerToken(plan.model, plan.seq_len) - spared)) / peak(plan.gpu, plan.bits);
    return { parts, memory, seconds, tokens_per_s_per_gpu: tokens, mfu, bytes: total(memory) };
  }

  return { predict, mistake };
})();
