"""The clipping rules that torch has no function for, each written out as a function or class of a script."""

TENSOR_NORM = '''\
def clip_by_tensor_norm(parameters, max_norm):
    """Scale each tensor that is longer than max_norm down to it."""
    for parameter in parameters:
        norm = parameter.grad.norm()
        parameter.grad *= (torch.tensor(max_norm) / norm).clamp(max=1)'''

BLOCK_RMS = '''\
def clip_by_block_rms(parameters, threshold):
    """Scale each tensor whose root mean square exceeds the threshold down to it."""
    for parameter in parameters:
        rms = parameter.grad.norm() / math.sqrt(parameter.numel())
        parameter.grad *= (torch.tensor(threshold) / rms).clamp(max=1)'''

AGC = '''\
def clip_adaptively(parameters, clip_factor, eps):
    """Hold each unit's gradient to a share of the length of the unit's weights.

    A unit is a row of a matrix, and the whole of a vector such as a bias.
    """
    for parameter in parameters:
        norm = parameter.grad.norm(dim=-1, keepdim=True)
        weights = parameter.detach().norm(dim=-1, keepdim=True)
        bound = clip_factor * weights.clamp(min=eps)
        shorter = bound / norm.clamp(min=1e-6)
        parameter.grad *= torch.where(norm < bound, 1.0, shorter)'''

NORMALIZE = '''\
def normalize_gradient(parameters, scale):
    """Give the whole gradient the length scale, however long or short it was."""
    grads = [parameter.grad for parameter in parameters]
    norm = nn.utils.get_total_norm(grads)
    vanishes = norm < torch.finfo(norm.dtype).tiny ** 0.5  # zero has no direction
    for grad in grads:
        grad *= torch.where(vanishes, 1.0, torch.tensor(scale) / norm)'''

AUTO_CLIP = '''\
class AutoClip:
    """Clip by the norm; the longest allowed is a percentile of the norms so far."""

    def __init__(self, clip_percentile, window):
        self.clip_percentile = clip_percentile
        self.norms = deque(maxlen=window)  # None keeps all

    def __call__(self, parameters):
        parameters = list(parameters)
        norm = nn.utils.get_total_norm([parameter.grad for parameter in parameters])
        if norm.isfinite():  # one NaN among them would spoil every later percentile
            self.norms.append(norm.item())
        if self.norms:
            norms = torch.tensor(self.norms, dtype=torch.float64)
            max_norm = norms.quantile(self.clip_percentile / 100)
            nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)'''

ZCLIP = '''\
class ZClip:
    """Cut the norms that stand out from those of late, by their z-score."""

    def __init__(self, z_thresh, alpha, warmup_steps, clip_factor, eps, max_grad_norm):
        self.z_thresh, self.alpha, self.warmup_steps = z_thresh, alpha, warmup_steps
        self.clip_factor, self.eps = clip_factor, eps
        self.max_grad_norm = max_grad_norm
        self.seen, self.mean, self.variance = 0, 0.0, 0.0

    def __call__(self, parameters):
        grads = [parameter.grad for parameter in parameters]
        norm = nn.utils.get_total_norm(grads).item()
        bound = self.bound(norm)
        longest = min(bound, self.max_grad_norm)
        if norm > longest:
            for grad in grads:
                grad *= longest / (norm + 1e-6)
        if math.isfinite(norm):  # one NaN in the mean would turn the rule off for good
            self.remember(min(norm, bound))

    def bound(self, norm):
        """Return what the norm is cut to: the farther out, the closer to the mean."""
        std = math.sqrt(self.variance)
        z = (norm - self.mean) / (std + self.eps)
        if self.seen < self.warmup_steps or not z > self.z_thresh:
            return math.inf
        nearer = self.mean + self.z_thresh * std * (self.z_thresh / z)
        return nearer * self.clip_factor

    def remember(self, norm):
        """Move mean and variance: of all norms in the warm-up, of recent ones later."""
        if self.seen < self.warmup_steps:
            self.seen += 1
            away = norm - self.mean
            self.mean += away / self.seen
            self.variance += (away * (norm - self.mean) - self.variance) / self.seen
        else:
            self.mean = self.alpha * self.mean + (1 - self.alpha) * norm
            away = (norm - self.mean) ** 2
            self.variance = self.alpha * self.variance + (1 - self.alpha) * away'''

ADA_GC = '''\
class AdaGC:
    """Hold each tensor to a multiple of the norm that it had of late."""

    def __init__(self, max_norm, relative_threshold, beta, warmup_steps):
        self.max_norm, self.relative_threshold = max_norm, relative_threshold
        self.beta, self.warmup_steps = beta, warmup_steps
        self.seen, self.of_late = 0, torch.tensor(math.inf, dtype=torch.float64)

    def __call__(self, parameters):
        grads = [parameter.grad for parameter in parameters]
        norms = torch.stack([grad.norm() for grad in grads])
        warming_up = self.seen < self.warmup_steps
        rule = self.clip_together if warming_up else self.clip_each
        factors, of_late = rule(norms)
        for grad, factor in zip(grads, factors, strict=True):
            grad *= factor
        if norms.norm().isfinite():  # a step that is not is never remembered
            self.seen, self.of_late = self.seen + 1, of_late

    def clip_together(self, norms):
        """In the warm-up, clip by the norm of all; remember each tensor's smallest."""
        factor = (self.max_norm / (norms.norm() + 1e-6)).clamp(max=1).double()
        factors = factor.expand(len(norms))
        return factors, torch.minimum(self.of_late, norms.double() * factors)

    def clip_each(self, norms):
        """Clip each tensor that is too long; remember a moving average of each."""
        norms, bound = norms.double(), self.relative_threshold * self.of_late
        factors = torch.where(norms > bound, bound / (norms + 1e-6), 1.0)
        norms = torch.minimum(norms, bound)
        return factors, self.beta * self.of_late + (1 - self.beta) * norms'''
