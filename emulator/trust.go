package emulator

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/pki"
)

// prepareTrust makes what the region keeps outside the regional state: its authorities, each zone's certificate, and
// the default user's key.
func (s *site) prepareTrust() error {
	regional, err := s.authority("region-ca", "Tripod "+s.options.Region)
	if err != nil {
		return err
	}
	zones, err := s.authority("zones-ca", "Tripod zones")
	if err != nil {
		return err
	}
	for i := range zoneLetters {
		zone := s.zoneName(i)
		dir := s.dir.file("zones", zone, "pki")
		if err := pki.Write(dir+"/region-ca.crt", regional.Cert); err != nil {
			return err
		}
		if _, err := os.Stat(dir + "/zone.crt"); err == nil {
			continue
		}
		pair, err := zones.Issue(pki.Leaf{CommonName: zone, Server: true, Client: true,
			DNS: []string{"raft-" + plan.Letter(zone) + ".tripod.internal"}})
		if err != nil {
			return err
		}
		front, err := regional.Issue(pki.Leaf{CommonName: "Tripod AWS endpoint", Server: true,
			DNS: []string{"localhost", "*.tripod.internal"},
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
	return s.prepareCredentials()
}

func (s *site) authority(name, commonName string) (*pki.Authority, error) {
	pair, err := pki.ReadPair(s.dir.file("pki"), name)
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
	return made, pki.WritePair(s.dir.file("pki"), name, made.Pair)
}

func (s *site) prepareCredentials() error {
	if _, err := os.Stat(s.dir.file("credentials.json")); err == nil {
		return nil
	}
	key, err := iam.NewAccessKey(rand.Reader, s.dir.marker.AccountID, iam.DefaultUser, time.Now().UTC())
	if err != nil {
		return err
	}
	return s.dir.writeJSON("credentials.json", api.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret,
		AccountID: s.dir.marker.AccountID, UserARN: fmt.Sprintf("arn:aws:iam::%s:user/%s", s.dir.marker.AccountID,
			iam.DefaultUser)})
}
