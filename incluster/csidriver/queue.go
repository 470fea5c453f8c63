package csidriver

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/workqueue"
)

// workers are how many things are done at once.
const workers = 10

// Queue has what there may be something to do about.
type Queue[K comparable] struct {
	workqueue.TypedRateLimitingInterface[K]
	// Sync does it; Logger is told of what is tried again.
	Sync   func(context.Context, K) error
	Logger *slog.Logger
}

// NewQueue makes one that is empty.
func NewQueue[K comparable](logger *slog.Logger, sync func(context.Context, K) error) *Queue[K] {
	return &Queue[K]{workqueue.NewTypedRateLimitingQueue(
		workqueue.NewTypedItemExponentialFailureRateLimiter[K](FirstRetry, LastRetry)), sync, logger}
}

// Run works until the queue is shut down, which it is when running ends.
func (q *Queue[K]) Run(running context.Context) {
	stop := context.AfterFunc(running, q.ShutDown)
	defer stop()
	var group sync.WaitGroup
	for range workers {
		group.Go(func() { q.work(running) })
	}
	group.Wait()
}

// work does one thing after the other.
func (q *Queue[K]) work(ctx context.Context) {
	for {
		k, quit := q.Get()
		if quit {
			return
		}
		err := q.Sync(ctx, k)
		switch {
		case err == nil, apierrors.IsNotFound(err):
			q.Forget(k)
		case ctx.Err() == nil:
			level := slog.LevelWarn
			if apierrors.IsConflict(err) {
				level = slog.LevelDebug
			}
			q.Logger.Log(ctx, level, "volumes: tried again", "object", fmt.Sprint(k), "error", err)
			q.AddRateLimited(k)
		}
		q.Done(k)
	}
}
