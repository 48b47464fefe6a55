import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.xml.crypto.OctetStreamData;
import javax.xml.crypto.URIDereferencer;
import javax.xml.crypto.URIReferenceException;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.keyinfo.KeyInfo;
import javax.xml.crypto.dsig.keyinfo.KeyInfoFactory;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import javax.xml.crypto.dsig.spec.XPathFilterParameterSpec;
import org.w3c.dom.Document;

/** Signs and verifies with the JDK's own javax.xml.crypto (JSR 105), secure validation as the JDK has it. */
final class Jsr105 implements Folder.Work {
    private final XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");

    public static void main(String[] args) throws Exception {
        Folder.run(args, new Jsr105());
    }

    /** Finds the parts of a message, and leaves all else to the factory. */
    private URIDereferencer parts(Folder folder) {
        return (reference, context) -> {
            String uri = reference.getURI();
            if (!uri.startsWith("cid:")) {
                return factory.getURIDereferencer().dereference(reference, context);
            }
            try {
                return new OctetStreamData(new ByteArrayInputStream(folder.part(uri)));
            } catch (IOException e) {
                throw new URIReferenceException("no such part: " + uri, e);
            }
        };
    }

    @Override
    public boolean verify(Folder folder) throws Exception {
        var context = new DOMValidateContext(folder.credential().getPublicKey(), folder.signature(folder.parse("signed.xml")));
        context.setProperty("org.jcp.xml.dsig.secureValidation", Boolean.TRUE);
        context.setURIDereferencer(parts(folder));
        return factory.unmarshalXMLSignature(context).validate(context);
    }

    @Override
    public void sign(Folder folder, Document document) throws Exception {
        List<Transform> transforms = new ArrayList<>();
        transforms.add(factory.newTransform(Transform.ENVELOPED, (TransformParameterSpec) null));
        if (folder.isMessage()) {
            var filter = new XPathFilterParameterSpec(Folder.XPATH, Map.of("soap", Folder.SOAP));
            transforms.add(factory.newTransform(Transform.XPATH, filter));
        }
        transforms.add(factory.newTransform(CanonicalizationMethod.INCLUSIVE, (TransformParameterSpec) null));
        DigestMethod digest = factory.newDigestMethod(DigestMethod.SHA256, null);
        List<Reference> references = new ArrayList<>();
        references.add(factory.newReference("", digest, transforms, null, null));
        if (folder.isMessage()) {
            for (String uri : folder.partURIs()) {
                references.add(factory.newReference(uri, digest));
            }
        }
        var signedInfo = factory.newSignedInfo(
            factory.newCanonicalizationMethod(CanonicalizationMethod.INCLUSIVE, (C14NMethodParameterSpec) null),
            factory.newSignatureMethod(folder.algorithm(), null), references);
        KeyInfoFactory keys = factory.getKeyInfoFactory();
        KeyInfo keyInfo = keys.newKeyInfo(List.of(keys.newX509Data(List.of(folder.credential()))));
        var context = new DOMSignContext(folder.key(), folder.place(document));
        context.setDefaultNamespacePrefix("ds");
        context.setURIDereferencer(parts(folder));
        factory.newXMLSignature(signedInfo, keyInfo).sign(context);
    }
}
