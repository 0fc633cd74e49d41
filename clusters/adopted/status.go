package adopted

import (
	sveltos "portico.dev/portico/api/sveltos/v1beta1"
)

// Status folds what was observed into the status of a SveltosCluster. What is not ours to say,
// such as when a token was renewed, stays as it was.
//
// A cluster that stops answering stays ready until it has not answered as often as its owner
// bears: a restart of its API server is no outage. One that only its owner can mend is down
// at once.
func Status(s *sveltos.SveltosCluster, saw Observed) sveltos.SveltosClusterStatus {
	out := *s.Status.DeepCopy()
	if text := problem(s, saw); text != "" {
		out.Ready, out.ConnectionStatus, out.FailureMessage = false, sveltos.ConnectionDown, &text
		return out
	}
	link := saw.Link
	if link == nil || !link.Tried || link.Digest != saw.Digest {
		return out
	}
	if link.Answered {
		out.Ready, out.ConnectionStatus, out.Version = true, sveltos.ConnectionHealthy, link.Version
		out.FailureMessage, out.ConnectionFailures = nil, 0
		return out
	}
	// Counting on would write the status with each attempt at a cluster that is long dead.
	bears := max(s.Spec.ConsecutiveFailureThreshold, 1)
	out.FailureMessage, out.ConnectionFailures = &link.Problem, min(link.Failures, bears)
	if link.Failures >= bears {
		out.Ready, out.ConnectionStatus = false, sveltos.ConnectionDown
	}
	return out
}
