package kubeletapi

import (
	"context"
	"errors"
	"io"
	"io/fs"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podlogs"
	"tripod/nodes/podset"
)

// streamFile writes what the file of a run has. As of a kubelet it is the file that is written now: what was set aside is not told.
func (a *API) streamFile(ctx context.Context, files *podlogs.Node, pod *corev1.Pod, container string, run instance, o logOptions,
	w logWriter) error {
	name := logName(pod, podset.Status(pod, container), run)
	var reader *podlogs.Reader
	defer func() {
		if reader != nil {
			reader.Close()
		}
	}()
	for first := true; ; first = false {
		if first {
			a.files.upToDate(ctx, pod.UID)
		}
		wrote := a.files.follow(pod.UID)
		if run = a.latest(pod, container, run); !first && !run.ended.IsZero() {
			a.files.upToDate(ctx, pod.UID) // what it said last
		}
		if reader == nil {
			opened, err := files.Reader(name)
			if err == nil && first && o.tail >= 0 {
				err = opened.Tail(o.tail)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) { // it has said nothing yet
				return err
			}
			if err == nil {
				reader = opened
			}
		}
		gone, err := copyLines(reader, o, w)
		switch {
		case err != nil:
			return nil // the client has gone, or has as much as it wants
		case gone || !o.follow || !run.ended.IsZero() || wrote == nil:
			return nil
		}
		select {
		case <-wrote:
		case <-a.files.ended:
			return nil
		case <-ctx.Done():
			return nil
		}
	}
}

// copyLines writes all that a log has by now; gone says that the log was deleted. A nil reader has nothing.
func copyLines(reader *podlogs.Reader, o logOptions, w logWriter) (gone bool, err error) {
	const batch = 1000
	for reader != nil {
		var entries []entry
		for len(entries) < batch {
			line, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return false, err
			}
			if !line.At.Before(o.since) {
				entries = append(entries, entry{line.At, line.Text, line.Stderr})
			}
		}
		if err := w.write(entries); err != nil {
			return false, err
		}
		if len(entries) == batch {
			continue
		}
		next, err := reader.Follow()
		if gone = next == podlogs.Gone; next != podlogs.Next || err != nil {
			return gone, err
		}
	}
	return false, nil
}
