package controlplane

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"tripod/awsapi/cloudwatch"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/az/instance"
	"tripod/az/vended"
	"tripod/internal/reconcile"
	"tripod/state"
)

// vendedMetrics is how far EKS's own metrics of the zone's part of the control plane are written.
type vendedMetrics struct {
	due  time.Time                  // the end of the minute that is read next
	last map[string]*vended.Reading // what the components had at the last minute's end, by the prefix of their metrics
}

// keepVended writes EKS's own metrics to CloudWatch at the end of each minute, while somebody asks for them. The first reading is at the
// end of the minute of the first question, and the first minute that is written is the one behind it.
func (c *Part) keepVended(ctx context.Context) (time.Duration, error) {
	v, now, wanted := &c.vended, c.host.Now(), false
	c.host.State.View(func(tx *state.Txn) error {
		wanted = c.host.Metrics != nil && cloudwatch.Wanted(tx, metricdata.EKS, now)
		return nil
	})
	if !wanted {
		*v = vendedMetrics{}
		return 0, nil // a question wakes it
	}
	next := now.Truncate(time.Minute).Add(time.Minute)
	switch wait := v.due.Sub(now); {
	case wait > time.Minute || wait < -time.Minute: // the first question, a sleep, or a clock that was set
		*v = vendedMetrics{due: next}
		return next.Sub(now), nil
	case wait > 0:
		return wait, nil
	}
	minute, first := v.due.Add(-time.Minute), v.last == nil
	v.due = next
	read, err := c.readVended(ctx)
	var data []metricdata.Datum
	if !first {
		for component, is := range read {
			data = append(data, vended.Data(c.cluster.Name, v.last[component], is, minute.Unix())...)
		}
	}
	v.last = read
	if failed := c.host.Metrics.Put(ctx, data); !errors.Is(failed, metricdata.ErrNotCopied) { // they are on this zone's disk then
		err = errors.Join(err, failed)
	}
	if err != nil {
		return 0, fmt.Errorf("of cluster %s: %w", c.cluster.Name, err)
	}
	return max(reconcile.Now, v.due.Sub(c.host.Now())), nil
}

// readVended reads the components that run here, of the controllers the scheduler where it leads.
func (c *Part) readVended(ctx context.Context) (read map[string]*vended.Reading, err error) {
	read = map[string]*vended.Reading{}
	for _, of := range []struct {
		from   *instance.Instance
		tells  bool
		prefix string
	}{
		{c.apiserver, c.apiserver.Ready(), "apiserver_"},
		{c.etcd, c.etcd.Ready(), "etcd_"},
		{c.controllers, slices.Contains(c.controllers.Status().Leads, "kube-scheduler"), "scheduler_"},
	} {
		if !of.tells {
			continue
		}
		failed := of.from.ReadMetrics(ctx, func(text io.Reader) (err error) {
			read[of.prefix], err = vended.Read(text, of.prefix)
			return err
		})
		if failed != nil {
			delete(read, of.prefix)
			err = errors.Join(err, failed)
		}
	}
	return read, err
}
