package iamapi

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/state"
)

// samlProvider is recorded: nobody signs in by SAML here.
type samlProvider struct {
	ARN       string            `json:"arn"`
	Name      string            `json:"name"`
	Metadata  string            `json:"metadata"`
	CreatedAt time.Time         `json:"createdAt"`
	Tags      map[string]string `json:"tags,omitempty"`
}

var samlProviders = state.NewTable[samlProvider]("saml-provider") // by ARN

const (
	maxSAMLProviders = 100
	samlYears        = 100 // that metadata are valid for
)

type samlARN struct {
	ARN string `query:"SAMLProviderArn,required"`
}

func (in samlARN) subject(*operation.Call) thing { return thing{kind: kindSAML, name: in.ARN} }

type createSAMLInput struct {
	SAMLMetadataDocument string `query:",required"`
	Name                 string `query:",required"`
	Tags                 []Tag
}

func (in createSAMLInput) subject(*operation.Call) thing { return newThing(kindSAML, "", in.Name) }

type createdSAML struct {
	ARN  string    `xml:"SAMLProviderArn" json:"SAMLProviderArn"`
	Tags list[Tag] `xml:",omitempty" json:",omitempty"`
}

// checkMetadata refuses what is no SAML 2.0 metadata: XML of an EntityDescriptor.
func checkMetadata(text string) error {
	dec := xml.NewDecoder(strings.NewReader(text))
	root := ""
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return invalidInput("Could not parse metadata")
		}
		if start, ok := token.(xml.StartElement); ok && root == "" {
			root = start.Name.Local
		}
	}
	if root != "EntityDescriptor" {
		return invalidInput("Could not parse metadata")
	}
	return nil
}

func (s *Service) createSAML(call *operation.Call, in *createSAMLInput) (*createdSAML, error) {
	if err := checkMetadata(in.SAMLMetadataDocument); err != nil {
		return nil, err
	}
	tags, err := checkTags(nil, in.Tags)
	if err != nil {
		return nil, err
	}
	p := samlProvider{ARN: s.arn(kindSAML, "/"+in.Name), Name: in.Name, Metadata: in.SAMLMetadataDocument,
		CreatedAt: s.now(), Tags: tags}
	return change(s, call, func(tx *state.Txn) (*createdSAML, error) {
		if _, found := samlProviders.Get(tx, p.ARN); found {
			return nil, alreadyExists("Provider with name %s already exists.", p.Name)
		}
		if !samlProviders.Part("").Fewer(tx, maxSAMLProviders) {
			return nil, limitExceeded("Cannot exceed quota for SAMLProvidersPerAccount: %d", maxSAMLProviders)
		}
		samlProviders.Put(tx, p.ARN, p)
		return &createdSAML{p.ARN, tagList(tags)}, nil
	})
}

// SAMLProvider is a provider as answers have it.
type SAMLProvider struct {
	ARN                  string `xml:"Arn,omitempty" json:"Arn,omitempty"`
	SAMLMetadataDocument string `xml:",omitempty" json:",omitempty"`
	ValidUntil           string
	CreateDate           string
	Tags                 list[Tag] `xml:",omitempty" json:",omitempty"`
}

func describeSAML(p samlProvider) SAMLProvider {
	return SAMLProvider{ValidUntil: stamp(p.CreatedAt.AddDate(samlYears, 0, 0)), CreateDate: stamp(p.CreatedAt)}
}

func (s *Service) getSAML(call *operation.Call, in *samlARN) (*SAMLProvider, error) {
	return view(s, call, func(tx *state.Txn) (*SAMLProvider, error) {
		p, found := samlProviders.Get(tx, in.ARN)
		if !found {
			return nil, notThere(kindSAML, in.ARN)
		}
		out := describeSAML(p)
		out.SAMLMetadataDocument, out.Tags = p.Metadata, tagList(p.Tags)
		return &out, nil
	})
}

type samlList struct{ SAMLProviderList list[SAMLProvider] }

func (s *Service) listSAML(call *operation.Call, _ *struct{}) (*samlList, error) {
	return view(s, call, func(tx *state.Txn) (*samlList, error) {
		return &samlList{described(samlProviders.List(tx), func(p samlProvider) SAMLProvider {
			out := describeSAML(p)
			out.ARN = p.ARN
			return out
		})}, nil
	})
}

type updateSAMLInput struct {
	samlARN
	SAMLMetadataDocument string
}

type updatedSAML struct {
	ARN string `xml:"SAMLProviderArn" json:"SAMLProviderArn"`
}

func (s *Service) updateSAML(call *operation.Call, in *updateSAMLInput) (*updatedSAML, error) {
	if in.SAMLMetadataDocument != "" {
		if err := checkMetadata(in.SAMLMetadataDocument); err != nil {
			return nil, err
		}
	}
	return change(s, call, func(tx *state.Txn) (*updatedSAML, error) {
		p, found := samlProviders.Get(tx, in.ARN)
		if !found {
			return nil, notThere(kindSAML, in.ARN)
		}
		if in.SAMLMetadataDocument != "" {
			p.Metadata = in.SAMLMetadataDocument
		}
		samlProviders.Put(tx, p.ARN, p)
		return &updatedSAML{p.ARN}, nil
	})
}

func (s *Service) deleteSAML(call *operation.Call, in *samlARN) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		if _, found := samlProviders.Get(tx, in.ARN); !found {
			return done{}, notThere(kindSAML, in.ARN)
		}
		samlProviders.Delete(tx, in.ARN)
		return done{}, nil
	})
}
