package queue

import "fmt"

// Names are the queues that there are, others' than extractq's among them. One is
// there from its first task on.
func (q *Queue) Names() ([]string, error) {
	names, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("list queues: %w", err)
	}
	return names, nil
}

// Depths are how many tasks a queue has in each of asynq's states: pending, active,
// scheduled, retry, archived and completed.
func (q *Queue) Depths(queue string) (map[string]int, error) {
	info, err := q.inspector.GetQueueInfo(queue)
	if err != nil {
		return nil, fmt.Errorf("read queue %s: %w", queue, err)
	}
	return map[string]int{
		"pending": info.Pending, "active": info.Active, "scheduled": info.Scheduled,
		"retry": info.Retry, "archived": info.Archived, "completed": info.Completed,
	}, nil
}
