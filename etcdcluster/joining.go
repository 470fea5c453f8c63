package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/etcdserver"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/etcdserver/api/rafthttp"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"

	"tripod/internal/sleep"
)

// learning is a file in a member's directory: it joins a cluster that is there, and does not vote in it yet.
const learning = "learning"

// served is the file beside a member's directory that says that the member has served once. An empty directory is the loss
// of its data then, and no beginning.
func (c Config) served() string { return c.Dir + "-served" }

func (c Config) logDir() string { return filepath.Join(c.Dir, "member", "wal") }

// joins says whether the member joins a cluster that is there, as who was added to it and has never run. One that has served
// and lost its data must not start as who it was: it has forgotten its votes and what it acknowledged. etcd itself refuses
// that only while another member answers.
func (m *Member) joins() (bool, error) {
	if wal.Exist(m.config.logDir()) {
		return exists(filepath.Join(m.config.Dir, learning))
	}
	if lost, err := exists(m.config.served()); !lost || err != nil {
		return false, err
	}
	members, err := m.membersByPeers()
	if err != nil {
		return false, fmt.Errorf("its data is lost, and no other member answers that knows whether it was added anew: %w", err)
	}
	here := m.config.Members[m.config.Name]
	i := slices.IndexFunc(members, func(one *membership.Member) bool { return slices.Contains(one.PeerURLs, here) })
	switch {
	case i < 0:
		return false, fmt.Errorf("its data is lost, and it was removed from the cluster: add it as a learner, %s", m.config.remedy())
	case members[i].Name != "":
		return false, fmt.Errorf("its data is lost, and without it it must not be member %s any more: remove that one and add it anew, %s",
			members[i].ID, m.config.remedy())
	}
	if err := os.RemoveAll(m.config.Dir); err != nil { // a database without its log is worth nothing
		return false, err
	}
	if err := os.MkdirAll(m.config.Dir, 0o700); err != nil {
		return false, err
	}
	return true, os.WriteFile(filepath.Join(m.config.Dir, learning), nil, 0o600)
}

// membersByPeers asks the other members who is one, until one answers.
func (m *Member) membersByPeers() ([]*membership.Member, error) {
	config, err := m.config.embedded()
	if err != nil {
		return nil, err
	}
	transport, err := rafthttp.NewRoundTripper(config.PeerTLSInfo, peerPatience)
	if err != nil {
		return nil, err
	}
	if closing, ok := transport.(interface{ CloseIdleConnections() }); ok {
		defer closing.CloseIdleConnections()
	}
	var others []string
	for name, url := range m.config.Members {
		if name != m.config.Name {
			others = append(others, url)
		}
	}
	slices.Sort(others)
	cluster, err := etcdserver.GetClusterFromRemotePeers(zap.NewNop(), others, transport)
	if err != nil {
		return nil, err
	}
	return cluster.Members(), nil
}

// remedy is what people do about a loss, with the target that they call the member.
func (c Config) remedy() string {
	return fmt.Sprintf("as 'tripod heal %s' does", strings.Replace(c.Name, "-", "/", 1))
}

// peerPatience is how long a peer is waited for that is asked who the members are.
const peerPatience = 2 * time.Second

// join lets the member follow the cluster that it was added to until it votes. Meanwhile it takes no clients: it would refuse
// them, and an API server goes to its zone's member as soon as that one shakes hands.
func (m *Member) join(ctx context.Context, config embed.Config) error {
	hidden := config.ListenClientUrls[0]
	hidden.Host = "127.0.0.1:0"
	config.ListenClientUrls, config.ClusterState = config.ListenClientUrls[:0:0], embed.ClusterStateFlagExisting
	config.ListenClientUrls = append(config.ListenClientUrls, hidden)
	etcd, err := embed.StartEtcd(&config)
	if err != nil {
		return err
	}
	for err == nil && !m.votes(etcd.Server) {
		select {
		case err = <-etcd.Err():
		default:
			err = sleep.For(ctx, learnerPoll)
		}
	}
	// It need not be ready, which it becomes when it has told its name: it does that at its next start.
	etcd.Server.HardStop()
	etcd.Close()
	if err != nil {
		return fmt.Errorf("it does not vote yet: %w", err)
	}
	if err := os.Remove(filepath.Join(m.config.Dir, learning)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// votes says whether a member is one of those that vote, as itself and the others know. Itself, it takes that for granted until it
// has read how it was added.
func (m *Member) votes(server *etcdserver.EtcdServer) bool {
	itself := server.Cluster().Member(server.MemberID())
	if itself == nil || itself.IsLearner {
		return false
	}
	members, err := m.membersByPeers()
	return err == nil && slices.ContainsFunc(members,
		func(one *membership.Member) bool { return one.ID == server.MemberID() && !one.IsLearner })
}

// learnerPoll is how often a learner looks whether it votes.
const learnerPoll = 50 * time.Millisecond

func exists(file string) (bool, error) {
	_, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
