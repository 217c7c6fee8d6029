package queue

import (
	"context"
	"sync"
	"time"
)

// notices are the messages of a process, by queue. Of those that follow each other within
// notifyGap the last one is sent when that is over: it stands for all.
type notices struct {
	mu      sync.Mutex
	byQueue map[string]*notice
}

type notice struct {
	sent    time.Time
	planned bool
}

// due reports whether a message is to be sent now. Otherwise one will be, by later.
func (n *notices) due(queue string, later func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byQueue == nil {
		n.byQueue = map[string]*notice{}
	}
	of := n.byQueue[queue]
	if of == nil {
		of = new(notice)
		n.byQueue[queue] = of
	}
	now := time.Now()
	wait := notifyGap - now.Sub(of.sent)
	if wait <= 0 {
		of.sent = now
		return true
	}
	if !of.planned {
		of.planned = true
		time.AfterFunc(wait, func() {
			n.mu.Lock()
			of.planned, of.sent = false, time.Now()
			n.mu.Unlock()
			later()
		})
	}
	return false
}

// notify wakes the servers of a queue that has a task due now. The message may be lost, as
// by the end of the process.
func (q *Queue) notify(ctx context.Context, queue string) {
	if q.notices.due(queue, func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		q.publish(ctx, queue)
	}) {
		q.publish(ctx, queue)
	}
}

func (q *Queue) publish(ctx context.Context, queue string) {
	_ = q.rdb.Publish(ctx, wakeupChannel, queue).Err()
}
