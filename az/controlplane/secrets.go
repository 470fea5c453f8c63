package controlplane

import (
	"crypto/rand"
	"encoding/base64"
	"time"

	"tripod/internal/pki"
	"tripod/region"
)

// clusterNames are what a cluster's authority may sign for: what its own servers are called, and nothing out in the
// world.
func clusterNames(cluster region.Cluster) pki.Constraints {
	return pki.Constraints{
		DNS: []string{"localhost", "tripod.internal", "kubernetes", "default", "svc", "cluster.local", "eks.amazonaws.com",
			"ec2.internal", "compute.internal"},
		IPs: []string{"127.0.0.0/8", "::1/128", "10.0.0.0/8", cluster.ServiceCIDR},
	}
}

// NewAuthority makes another certificate authority for a cluster. Its name differs from the first one's, for those who
// look.
func NewAuthority(cluster region.Cluster) (cert, key string, err error) {
	made, err := pki.NewAuthority("kubernetes-"+time.Now().UTC().Format("20060102150405"), clusterNames(cluster))
	if err != nil {
		return "", "", err
	}
	return string(made.Cert), string(made.Key), nil
}

// NewSecrets makes a cluster's authorities and keys. They are made once, and kept in the regional state.
func NewSecrets(cluster region.Cluster) (region.ClusterSecrets, error) {
	var (
		secrets region.ClusterSecrets
		err     error
	)
	authority := func(cert, key *string, name string, limits pki.Constraints) {
		if err != nil {
			return
		}
		var made *pki.Authority
		if made, err = pki.NewAuthority(name, limits); err == nil {
			*cert, *key = string(made.Cert), string(made.Key)
		}
	}
	authority(&secrets.CACert, &secrets.CAKey, "kubernetes", clusterNames(cluster))
	authority(&secrets.FrontProxyCACert, &secrets.FrontProxyCAKey, "front-proxy-ca", clusterNames(cluster))
	authority(&secrets.EtcdCACert, &secrets.EtcdCAKey, "etcd-ca", pki.Loopback)
	if err != nil {
		return secrets, err
	}
	key, err := pki.NewSigningKey()
	if err != nil {
		return secrets, err
	}
	secrets.ServiceAccountKey = string(key)
	random := make([]byte, 32)
	rand.Read(random) // never fails: crypto/rand
	secrets.EncryptionKey = base64.StdEncoding.EncodeToString(random)
	return secrets, nil
}
