package etcdcluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"tripod/internal/sleep"
)

// Peers are the members of a cluster as a client reaches them.
type Peers struct {
	// ClientURLs are those of the members that are asked, by their names.
	ClientURLs map[string]string
	TLS        *tls.Config
	// Dial connects to a host and port of ClientURLs. Nil: as the system does.
	Dial func(ctx context.Context, address string) (net.Conn, error)
}

// askPatience is how long one member is waited for.
const askPatience = 3 * time.Second

// open makes a client of all of them, which the caller closes.
func (p Peers) open() (*clientv3.Client, error) {
	config := clientv3.Config{TLS: p.TLS, DialTimeout: askPatience, Logger: zap.NewNop()} // what it says is in the errors
	for _, one := range p.ClientURLs {
		config.Endpoints = append(config.Endpoints, one)
	}
	slices.Sort(config.Endpoints)
	if p.Dial != nil {
		config.DialOptions = []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			if parsed, err := url.Parse(address); err == nil && parsed.Host != "" {
				address = parsed.Host
			}
			return p.Dial(ctx, address)
		})}
	}
	return clientv3.New(config)
}

// CheckServe says which of the members does not answer, or that they have no leader.
func (p Peers) CheckServe(ctx context.Context) error {
	client, err := p.open()
	if err != nil {
		return err
	}
	defer client.Close()
	for name, one := range p.ClientURLs {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		status, err := client.Status(asking, one)
		cancel()
		switch {
		case err != nil:
			return fmt.Errorf("%s does not answer: %w", name, err)
		case status.Leader == 0:
			return fmt.Errorf("%s hears of no leader", name)
		}
	}
	return nil
}

// Replace takes the member at a peer URL, which does not run, out of the cluster, and adds it as a learner that has never run.
// In between, once it is nobody's, wipe deletes its data. It may be done again, wherever it was broken off.
func (p Peers) Replace(ctx context.Context, peerURL string, said func(string), wipe func() error) error {
	err := p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
		list, err := client.MemberList(ctx)
		if err != nil {
			return err
		}
		for _, one := range list.Members {
			if !slices.Contains(one.PeerURLs, peerURL) {
				continue
			}
			if _, err := client.MemberRemove(ctx, one.ID); err != nil {
				return fmt.Errorf("remove member %x: %w", one.ID, err)
			}
			said(fmt.Sprintf("member %x is removed from the cluster", one.ID))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := wipe(); err != nil {
		return err
	}
	said("its data directory is empty")
	return p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
		added, err := client.MemberAddAsLearner(ctx, []string{peerURL})
		if err == nil {
			said(fmt.Sprintf("it is added as member %x, a learner, which does not vote", added.Member.ID))
		}
		return err
	})
}

// Promote waits until the learner at a peer URL has caught up, and lets it vote. goesOn says, now and then, that it makes no
// sense to wait any more. Each try has a client of its own: one that is kept makes longer and longer pauses between its connections
// while it finds nobody, and would go on with them after that.
func (p Peers) Promote(ctx context.Context, peerURL string, said func(string), goesOn func() error) error {
	waits := false
	for {
		err := p.with(ctx, func(ctx context.Context, client *clientv3.Client) error {
			list, err := client.MemberList(ctx)
			if err != nil {
				return err
			}
			i := slices.IndexFunc(list.Members, func(one *etcdserverpb.Member) bool { return slices.Contains(one.PeerURLs, peerURL) })
			if i < 0 {
				return errNoMember
			}
			if list.Members[i].IsLearner {
				_, err = client.MemberPromote(ctx, list.Members[i].ID)
			}
			return err
		})
		switch {
		case err == nil:
			said("it has caught up, and votes")
			return nil
		case errors.Is(err, errNoMember):
			return err
		case errors.Is(err, rpctypes.ErrMemberLearnerNotReady) && !waits:
			waits = true
			said("it copies what the others have")
		}
		if err := errors.Join(goesOn(), sleep.For(ctx, promotePoll)); err != nil {
			return fmt.Errorf("it has not caught up: %w", err)
		}
	}
}

var errNoMember = errors.New("it was removed from the cluster meanwhile")

// with asks the members, and again while they cannot answer yet: a change of the members waits until those that are left have
// been connected for some seconds.
func (p Peers) with(ctx context.Context, ask func(context.Context, *clientv3.Client) error) error {
	client, err := p.open()
	if err != nil {
		return err
	}
	defer client.Close()
	for tries := time.Now().Add(changePatience); ; {
		asking, cancel := context.WithTimeout(ctx, askPatience)
		err = ask(asking, client)
		cancel()
		again := func(one error) bool { return errors.Is(err, one) }
		if !slices.ContainsFunc(passing, again) || time.Now().After(tries) || sleep.For(ctx, learnerPoll) != nil {
			return err
		}
	}
}

// passing are what etcd says while a change has to wait. A member that is added has its id from the second in which it is, and
// one that was removed in the same second had the same, which it must not have again: it is not found then.
var passing = []error{rpctypes.ErrUnhealthy, rpctypes.ErrMemberNotEnoughStarted, rpctypes.ErrNoLeader, rpctypes.ErrMemberNotFound}

// promotePoll is how often it is tried to promote a learner.
const promotePoll = 200 * time.Millisecond

// changePatience is longer than the five seconds for which etcd wants its members connected before it changes them.
const changePatience = 15 * time.Second
