package emulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"tripod/az"
	"tripod/iam"
	"tripod/internal/datadir"
	"tripod/internal/version"
	"tripod/region"
)

// foundMarker makes a new region's marker, once the AWS port is ours.
func (s *site) foundMarker() (net.Listener, error) {
	o := s.options
	base, err := choosePortBase(filepath.Dir(s.runDir), s.dir.path)
	if err != nil {
		return nil, err
	}
	port := o.Port
	if port == 0 {
		port = base + portRange - 1 // not just any free one: the region keeps it
	}
	listener, err := listenAWS(port)
	if err == nil {
		id := make([]byte, 16)
		rand.Read(id) // never fails: crypto/rand
		s.dir.marker = datadir.Marker{Schema: datadir.Schema, Region: o.Region,
			AccountID: cmp.Or(o.AccountID, iam.DefaultAccountID),
			PortBase:  base, CreatedAt: time.Now().UTC(),
			Port: port, Nodes: o.Nodes}
		if o.HasCluster() {
			s.dir.marker.Cluster, s.dir.marker.KubernetesVersion = o.Cluster, o.KubernetesVersion
			s.dir.marker.ClusterID = strings.ToUpper(hex.EncodeToString(id))
		}
		err = s.dir.writeMarker()
	}
	if err != nil && listener != nil {
		listener.Close()
	}
	return listener, err
}

// firstRecords are the regional state's: the user admin with a key, and the first cluster.
func (s *site) firstRecords() (founding az.Founding, err error) {
	m := &s.dir.marker
	credentials, err := datadir.ReadCredentials(s.dir.path)
	if err != nil {
		return founding, err
	}
	now := time.Now().UTC()
	user, err := iam.NewUser(rand.Reader, m.AccountID, iam.DefaultUser, now, iam.AdministratorAccess)
	if err != nil {
		return founding, err
	}
	founding = az.Founding{User: user, AccessKey: region.AccessKey{
		ID: credentials.AccessKeyID, Secret: credentials.SecretAccessKey, User: user.Name, Status: "Active", CreatedAt: now,
	}}
	if m.Cluster != "" {
		founding.Cluster = region.Cluster{
			ID: m.ClusterID, Name: m.Cluster, Version: m.KubernetesVersion, CreatedAt: now,
			CreatorARN: user.ARN, AuthenticationMode: "API_AND_CONFIG_MAP", EndpointPort: m.PortBase + clusterOffset,
			ServiceCIDR: "10.100.0.0/16", Nodes: m.Nodes,
			Issuer: fmt.Sprintf("https://localhost:%d/id/%s", m.Port, m.ClusterID),
		}
		if _, found := version.FindKubernetes(m.KubernetesVersion); !found {
			return founding, fmt.Errorf("there is no Kubernetes version %q here: choose one of %s", m.KubernetesVersion,
				strings.Join(version.KubernetesMinors(), ", "))
		}
	}
	return founding, nil
}

// foundingPatience is for disks that take 200 ms for a flush, of which a zone's first start needs many: a zone that ends
// is noticed before.
const foundingPatience = 3 * time.Minute

// found puts the first records into the regional state, through whichever zone takes them.
func (e *Emulator) found(ctx context.Context) error {
	founding, err := e.firstRecords()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, foundingPatience)
	defer cancel()
	for {
		for _, z := range e.zones {
			if err = z.agent().Found(ctx, founding); err == nil {
				founded := e.dir.marker // a copy: the one in memory is read by everybody
				founded.Founded = true
				return e.dir.writeJSON(datadir.MarkerFile, founded)
			}
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-e.failedC:
			return e.failed
		case <-e.quiet:
			return errStoppedMeanwhile
		case <-ctx.Done():
			return fmt.Errorf("no zone takes the region's first records: %w", err)
		}
	}
}
