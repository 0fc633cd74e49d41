package rollout

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// News is worth an event.
type News struct {
	// Type is Normal or Warning.
	Type, Reason, Message string
}

// Reasons of events.
const (
	begunNews    = "RolloutBegun"
	waveNews     = "WaveBegun"
	stoppedNews  = "RolloutStopped"
	abortedNews  = "RolloutAborted"
	completeNews = "RolloutComplete"
)

func (c *course) tell(reason, format string, args ...any) {
	news := News{Type: corev1.EventTypeNormal, Reason: reason, Message: fmt.Sprintf(format, args...)}
	if reason == stoppedNews || reason == abortedNews {
		news.Type = corev1.EventTypeWarning
	}
	c.d.News = append(c.d.News, news)
}
