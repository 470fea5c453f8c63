package emulator

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/datadir"
	"tripod/internal/pki"
	"tripod/internal/version"
	"tripod/region"
)

// foundMarker makes a new region's marker, once the AWS port is ours.
func (e *Emulator) foundMarker() (net.Listener, error) {
	o := e.options
	base, err := choosePortBase(filepath.Dir(e.runDir), e.dir.path)
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
		e.dir.marker = datadir.Marker{Schema: datadir.Schema, Region: o.Region, AccountID: cmp.Or(o.AccountID, iam.DefaultAccountID), PortBase: base, CreatedAt: time.Now().UTC(),
			Port: port, Nodes: o.Nodes}
		if o.HasCluster() {
			e.dir.marker.Cluster, e.dir.marker.KubernetesVersion = o.Cluster, o.KubernetesVersion
			e.dir.marker.ClusterID = strings.ToUpper(hex.EncodeToString(id))
		}
		err = e.dir.writeMarker()
	}
	if err != nil && listener != nil {
		listener.Close()
	}
	return listener, err
}

// prepareTrust makes what the region keeps outside the regional state: its authorities, each zone's certificate, and the default user's key.
func (e *Emulator) prepareTrust() error {
	regional, err := e.authority("region-ca", "Tripod "+e.options.Region)
	if err != nil {
		return err
	}
	zones, err := e.authority("zones-ca", "Tripod zones")
	if err != nil {
		return err
	}
	for i := range zoneLetters {
		zone := e.zoneName(i)
		dir := e.dir.file("zones", zone, "pki")
		if err := pki.Write(dir+"/region-ca.crt", regional.Cert); err != nil {
			return err
		}
		if _, err := os.Stat(dir + "/zone.crt"); err == nil {
			continue
		}
		pair, err := zones.Issue(pki.Leaf{CommonName: zone, Server: true, Client: true, DNS: []string{"raft-" + plan.Letter(zone) + ".tripod.internal"}})
		if err != nil {
			return err
		}
		front, err := regional.Issue(pki.Leaf{CommonName: "Tripod AWS endpoint", Server: true, DNS: []string{"localhost", "*.tripod.internal"},
			IPs: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}})
		if err != nil {
			return err
		}
		if err = pki.Write(dir+"/ca.crt", zones.Cert); err == nil {
			err = pki.WritePair(dir, "front", front)
		}
		if err == nil {
			err = pki.WritePair(dir, "zone", pair) // last: it says that all are there
		}
		if err != nil {
			return err
		}
	}
	return e.prepareCredentials()
}

func (e *Emulator) authority(name, commonName string) (*pki.Authority, error) {
	pair, err := pki.ReadPair(e.dir.file("pki"), name)
	if err == nil {
		return pki.ParseAuthority(pair)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	made, err := pki.NewAuthority(commonName, pki.Loopback)
	if err != nil {
		return nil, err
	}
	return made, pki.WritePair(e.dir.file("pki"), name, made.Pair)
}

func (e *Emulator) prepareCredentials() error {
	if _, err := os.Stat(e.dir.file("credentials.json")); err == nil {
		return nil
	}
	key, err := iam.NewAccessKey(rand.Reader, e.dir.marker.AccountID, iam.DefaultUser, time.Now().UTC())
	if err != nil {
		return err
	}
	return e.dir.writeJSON("credentials.json", api.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret,
		AccountID: e.dir.marker.AccountID, UserARN: fmt.Sprintf("arn:aws:iam::%s:user/%s", e.dir.marker.AccountID, iam.DefaultUser)})
}

// found puts the first records into the regional state, through whichever zone takes them.
func (e *Emulator) found(ctx context.Context) error {
	m := &e.dir.marker
	credentials, err := datadir.ReadCredentials(e.dir.path)
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	user, err := iam.NewUser(rand.Reader, m.AccountID, iam.DefaultUser, now, iam.AdministratorAccess)
	if err != nil {
		return err
	}
	founding := az.Founding{User: user, AccessKey: region.AccessKey{ID: credentials.AccessKeyID, Secret: credentials.SecretAccessKey,
		User: user.Name, Status: "Active", CreatedAt: now}}
	if m.Cluster != "" {
		founding.Cluster = region.Cluster{
			ID: m.ClusterID, Name: m.Cluster, Version: m.KubernetesVersion, CreatedAt: now, CreatorARN: user.ARN,
			AuthenticationMode: "API_AND_CONFIG_MAP", EndpointPort: m.PortBase + clusterOffset, ServiceCIDR: "10.100.0.0/16", Nodes: m.Nodes,
			Issuer: fmt.Sprintf("https://localhost:%d/id/%s", m.Port, m.ClusterID),
		}
		if _, found := version.FindKubernetes(m.KubernetesVersion); !found {
			return fmt.Errorf("there is no Kubernetes version %q here: choose one of %s", m.KubernetesVersion,
				strings.Join(version.KubernetesMinors(), ", "))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		for _, z := range e.zones {
			if err = az.Call(ctx, z.runDir, "POST", "/v1/found", founding, nil); err == nil {
				founded := *m // the one in memory is read by everybody
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

// writeKubeconfig makes the file that `tripod env` exports: a context per cluster, named by its ARN as `aws eks update-kubeconfig` does.
func (e *Emulator) writeKubeconfig(clusters []az.ClusterState) error {
	type named map[string]any
	var clusterList, users, contexts []named
	current := ""
	for _, c := range clusters {
		arn := fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", e.options.Region, e.dir.marker.AccountID, c.Name)
		if current == "" || c.Name == e.dir.marker.Cluster {
			current = arn
		}
		clusterList = append(clusterList, named{"name": arn, "cluster": named{
			"server": "https://" + loopback(c.EndpointPort), "certificate-authority-data": []byte(c.CACert)}})
		users = append(users, named{"name": arn, "user": named{"exec": named{
			"apiVersion": "client.authentication.k8s.io/v1beta1", "command": e.options.Executable, "interactiveMode": "Never",
			"args": []string{"--data-dir", e.dir.path, "token", "--cluster", c.Name}}}})
		contexts = append(contexts, named{"name": arn, "context": named{"cluster": arn, "user": arn}})
	}
	text, err := json.MarshalIndent(named{"apiVersion": "v1", "kind": "Config", "preferences": named{}, "clusters": clusterList,
		"users": users, "contexts": contexts, "current-context": current}, "", "  ") // JSON is YAML too
	if err != nil {
		return err
	}
	return pki.Write(e.dir.file("kubeconfig"), append(text, '\n'))
}
