package etcdwrites

import (
	"context"
	"errors"
	"testing"
	"time"

	"go.etcd.io/etcd/api/v3/mvccpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// store plays etcd: each attempt at a write is one of script's, the last one for all that follow.
type store struct {
	kubernetes.Interface
	script   []attempt
	attempts int
	asked    []kubernetes.PutOptions
	sent     chan struct{} // signalled at each attempt
}

// attempt is what becomes of one.
type attempt struct {
	hangs     bool // until it is given up
	err       error
	succeeded bool
	now       *mvccpb.KeyValue // what the key holds when the condition does not hold
}

func (s *store) next(ctx context.Context) attempt {
	a := s.script[min(s.attempts, len(s.script)-1)]
	s.attempts++
	if s.sent != nil {
		s.sent <- struct{}{}
	}
	if a.hangs {
		<-ctx.Done()
		a.err = ctx.Err()
	}
	return a
}

func (s *store) OptimisticPut(ctx context.Context, _ string, _ []byte, _ int64,
	opts kubernetes.PutOptions) (kubernetes.PutResponse, error) {
	s.asked = append(s.asked, opts)
	a := s.next(ctx)
	return kubernetes.PutResponse{Succeeded: a.succeeded, Revision: 100, KV: a.now}, a.err
}

func (s *store) OptimisticDelete(ctx context.Context, _ string, _ int64,
	_ kubernetes.DeleteOptions) (kubernetes.DeleteResponse, error) {
	a := s.next(ctx)
	return kubernetes.DeleteResponse{Succeeded: a.succeeded, Revision: 100, KV: a.now}, a.err
}

// led answers reads, as a leader does.
type led struct{ clientv3.KV }

func (led) Get(context.Context, string, ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return &clientv3.GetResponse{}, nil
}

func writes(s *store) *Writes {
	return New(&kubernetes.Client{Client: &clientv3.Client{KV: led{}}, Kubernetes: s})
}

var (
	gone  = attempt{err: status.Error(codes.Unavailable, "error reading from server: EOF")}
	done  = attempt{succeeded: true}
	ours  = attempt{now: &mvccpb.KeyValue{ModRevision: 7, Value: []byte("new")}}
	other = attempt{now: &mvccpb.KeyValue{ModRevision: 8, Value: []byte("somebody else's")}}
)

func TestPutIsSentAgainAndCountsOnce(t *testing.T) {
	for name, test := range map[string]struct {
		script    []attempt
		succeeded bool
		revision  int64
		attempts  int
	}{
		"at once":                        {[]attempt{done}, true, 100, 1},
		"refused at once":                {[]attempt{other}, false, 100, 1},
		"equal value but not ours":       {[]attempt{ours}, false, 100, 1},
		"lost and written again":         {[]attempt{gone, done}, true, 100, 2},
		"lost after it had its effect":   {[]attempt{gone, ours}, true, 7, 2},
		"lost, and somebody else's came": {[]attempt{gone, other}, false, 100, 2},
	} {
		s := &store{script: test.script}
		resp, err := writes(s).OptimisticPut(t.Context(), "k", []byte("new"), 5, kubernetes.PutOptions{})
		if err != nil || resp.Succeeded != test.succeeded || resp.Revision != test.revision || s.attempts != test.attempts {
			t.Errorf("%s: got %+v, %v after %d attempts, want %+v", name, resp, err, s.attempts, test)
		}
		if !resp.Succeeded && s.attempts > 1 && resp.KV != nil {
			t.Errorf("%s: what nobody asked for is answered", name)
		}
		if s.asked[0].GetOnFailure {
			t.Errorf("%s: the first attempt asks for more than its caller", name)
		}
	}
}

func TestDeleteIsSentAgainAndCountsOnce(t *testing.T) {
	for name, test := range map[string]struct {
		script    []attempt
		succeeded bool
	}{
		"lost and deleted again":       {[]attempt{gone, done}, true},
		"lost after it had its effect": {[]attempt{gone, {}}, true},
		"gone before":                  {[]attempt{{}}, false},
		"changed by somebody else":     {[]attempt{gone, other}, false},
	} {
		resp, err := writes(&store{script: test.script}).OptimisticDelete(t.Context(), "k", 5, kubernetes.DeleteOptions{})
		if err != nil || resp.Succeeded != test.succeeded {
			t.Errorf("%s: got %+v, %v", name, resp, err)
		}
	}
}

// TestWriteThatHangsIsSentAgainOnceALeaderIsThere is about a write that was forwarded to a leader that died.
func TestWriteThatHangsIsSentAgainOnceALeaderIsThere(t *testing.T) {
	s := &store{script: []attempt{{hangs: true}, done}, sent: make(chan struct{}, 2)}
	w := writes(s)
	answer := make(chan error, 1)
	go func() {
		resp, err := w.OptimisticPut(t.Context(), "k", []byte("new"), 5, kubernetes.PutOptions{})
		if err == nil && !resp.Succeeded {
			err = errors.New("it did not succeed")
		}
		answer <- err
	}()
	<-s.sent
	w.Lost(t.Context(), true)
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// TestCreationIsSentAgainOnlyWhereTheFirstCannotComeAnyMore: of a member that is paused it comes when that one goes on, and would bring
// back what was created and deleted meanwhile.
func TestCreationIsSentAgainOnlyWhereTheFirstCannotComeAnyMore(t *testing.T) {
	s := &store{script: []attempt{{hangs: true}, done}, sent: make(chan struct{}, 2)}
	w := writes(s)
	answer := make(chan error, 1)
	go func() {
		_, err := w.OptimisticPut(t.Context(), "k", []byte("new"), 0, kubernetes.PutOptions{})
		answer <- err
	}()
	<-s.sent
	w.Lost(t.Context(), true)
	select {
	case err := <-answer:
		t.Fatalf("it is answered while its member is paused: %v", err)
	case <-s.sent:
		t.Fatal("it is sent again while its member is paused")
	case <-time.After(50 * time.Millisecond):
	}
	w.Lost(t.Context(), false)
	if err := <-answer; err != nil {
		t.Error(err)
	}
	s = &store{script: []attempt{gone, done}, sent: make(chan struct{}, 2)}
	w = writes(s)
	w.word = 10 * time.Millisecond
	go func() {
		_, err := w.OptimisticPut(t.Context(), "k", []byte("new"), 0, kubernetes.PutOptions{})
		answer <- err
	}()
	<-s.sent
	if err := <-answer; status.Code(err) != codes.Unavailable || len(s.sent) > 0 {
		t.Errorf("its connection broke, and nobody says that the member has ended: got %v, sent again: %t", err, len(s.sent) > 0)
	}
}

func TestWhatEtcdSaysIsNotSentAgain(t *testing.T) {
	for _, said := range []error{rpctypes.ErrNoSpace, rpctypes.ErrTimeout, errors.New("strange")} {
		s := &store{script: []attempt{{err: said}}}
		if _, err := writes(s).OptimisticPut(t.Context(), "k", nil, 0, kubernetes.PutOptions{}); !errors.Is(err, said) ||
			s.attempts != 1 {
			t.Errorf("%v: got %v after %d attempts", said, err, s.attempts)
		}
	}
	s := &store{script: []attempt{gone}}
	if _, err := writes(s).OptimisticPut(t.Context(), "k", nil, 5,
		kubernetes.PutOptions{}); status.Code(err) != codes.Unavailable || s.attempts != attempts {
		t.Errorf("members that are all gone: got %v after %d attempts", err, s.attempts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s = &store{script: []attempt{{hangs: true}}}
	if _, err := writes(s).OptimisticPut(ctx, "k", nil, 0, kubernetes.PutOptions{}); !errors.Is(err, context.Canceled) ||
		s.attempts != 1 {
		t.Errorf("a caller that left: got %v after %d attempts", err, s.attempts)
	}
}
